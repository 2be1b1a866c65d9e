"""What a target file says: one frozen typed object for everything the rooms need to know of a deployment."""

from typing import ClassVar, Literal

import msgspec

MASK = "••••"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the target file; an unknown key in it is an error. `hidden` keys never show in its `repr`."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = (f"{name}={MASK if value and name in self.hidden else repr(value)}" for name, value in values)
        return f"{type(self).__name__}({', '.join(shown)})"


class ApiPaths(Section, frozen=True):
    """Paths below `api.url`."""

    health: str = "/health"
    metrics: str = "/metrics"
    speech: str = "/v1/audio/speech"
    transcriptions: str = "/v1/audio/transcriptions"


class ApiHeaders(Section, frozen=True):
    """Header names, where the service has them; a missing one makes the checks on it not applicable."""

    provider: str | None = None
    mark: str | None = None
    skip_providers: str | None = None


class PythonApi(Section, frozen=True):
    """The runbook's own way in: a worker under the service's interpreter (DESIGN §2, flavour `python`)."""

    factory: str = "app.services.voice_v2.orchestrator:VoiceServiceOrchestrator"
    requests: str = "app.services.voice_v2.core.schemas"
    interpreter: str | None = None


class Api(Section, frozen=True):
    """How the service is asked. `timeout_s` bounds one request, in seconds."""

    hidden: ClassVar[frozenset[str]] = frozenset({"token"})

    url: str
    flavour: Literal["openai-audio", "python"] = "openai-audio"
    token: str | None = None
    timeout_s: float = 15.0
    speech_model: str = "tts-1"
    transcription_model: str = "whisper-1"
    voice: str = "alloy"
    paths: ApiPaths = ApiPaths()
    headers: ApiHeaders = ApiHeaders()
    python: PythonApi = PythonApi()


class Compose(Section, frozen=True):
    """A service of a compose project; `project` is the `-p` name where it is not the folder's.

    `overrides` are the further `-f` files, in order; without them those that compose itself takes beside `file`.
    `previous` is the image to go back to.
    """

    file: str
    service: str
    project: str | None = None
    overrides: tuple[str, ...] = ()
    previous: str | None = None


class Supervisor(Section, frozen=True):
    """A program under supervisord. `supervisorctl` is the command on the host."""

    config: str
    program: str
    supervisorctl: str = "supervisorctl"


class ServiceControl(Section, frozen=True):
    """Exactly one of the three; `ready_s` bounds the wait for readiness after a restart, in seconds."""

    systemd: str | None = None
    compose: Compose | None = None
    supervisor: Supervisor | None = None
    ready_s: float = 60.0


class Environment(Section, frozen=True):
    """The environment file and the program that reads it; `required` keys must be in any file put in its place."""

    file: str
    previous: str
    reader: Literal["systemd", "compose", "compose-v1", "python-dotenv"]
    required: tuple[str, ...] = ()


class Code(Section, frozen=True):
    """The checkout on the host, the package folder below it, and its list of requirements.

    `backups` is the path of the dated backup folders, its last part with `strftime` codes; one older than
    `max_age_days` is not gone back to. `wheelhouse` is a folder of wheels, where packages are installed offline.
    `remote`, `push`, `deploy` and `deploy_s` (seconds) are for a rollback by git: where commits come from, whether its
    branch is pushed there, and the command that deploys what was switched to.
    """

    checkout: str
    package: str = "app/services/voice_v2"
    requirements: str = "requirements.txt"
    backups: str | None = None
    max_age_days: float | None = None
    wheelhouse: str | None = None
    remote: str = "origin"
    push: bool = False
    deploy: str | None = None
    deploy_s: float = 300.0


class Virtualenv(Section, frozen=True):
    """The service's virtualenv and the copy of it that one would go back to."""

    path: str
    backup: str | None = None


class ObjectsKey(Section, frozen=True):
    """A key of the S3 storage."""

    hidden: ClassVar[frozenset[str]] = frozenset({"access_key", "secret_key"})

    access_key: str
    secret_key: str


class ObjectsBackup(Section, frozen=True):
    """The server that holds the backup, where it is another one; `endpoint` is host:port."""

    hidden: ClassVar[frozenset[str]] = frozenset({"access_key", "secret_key"})

    endpoint: str
    access_key: str
    secret_key: str
    secure: bool = True


class Objects(Section, frozen=True):
    """S3 storage: `endpoint` is host:port. `write` is the key that a restore and a snapshot use, where it is another.

    `backup_prefix` is the folder of a dated backup in `backup_bucket`, as strftime writes it.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"access_key", "secret_key"})

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    secure: bool = True
    write: ObjectsKey | None = None
    backup_bucket: str | None = None
    backup_prefix: str = "%Y-%m-%d/"
    backup: ObjectsBackup | None = None


class Database(Section, frozen=True):
    """`url` is a libpq URL. `mark_column` holds what `api.headers.mark` carried, where the table has such a column.

    `admin_url` leads to the same database by a role that may restore it, both from here and from the host; `dumps` is
    the path of the dumps there, its last part with `strftime` codes, and `tools` the folder of pg_dump, pg_restore and
    psql there (None: PATH). `downgrade` and `upgrade` are commands that take the schema to `{revision}`, run in
    `code.checkout`.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"url", "admin_url"})

    url: str
    table: str = "voice_usage_logs"
    mark_column: str | None = None
    admin_url: str | None = None
    dumps: str | None = None
    tools: str | None = None
    downgrade: str | None = None
    upgrade: str | None = None


class Provider(Section, frozen=True):
    """A provider in priority order. `key` and `folder` name variables of the service's environment file.

    `url` overrides the provider's own address (a gateway, a stand-in).
    """

    name: str
    kind: Literal["openai", "google", "yandex"]
    key: str
    folder: str | None = None
    url: str | None = None


class ProviderSettings(Section, frozen=True):
    """How the service is told its providers. `stt` and `tts` name variables of the environment file, each an ordered
    list of those enabled (`openai,google`).

    With a `file` (YAML or JSON) they name mappings in it instead: provider → `enabled`, `priority` (1 is first).
    """

    stt: str
    tts: str
    file: str | None = None


class Monitoring(Section, frozen=True):
    """The Prometheus server that scrapes the service and holds its alert rules."""

    prometheus: str


class Snapshots(Section, frozen=True):
    """How many of each kind of backup `snapshot` keeps; the older ones are removed."""

    keep: int = 3


class Budget(Section, frozen=True):
    """What a run of the checks may cost: requests in all, how many at once, per second, seconds of sampling."""

    requests: int = 1200
    concurrency: int = 8
    per_second: float | None = None
    seconds: float = 120.0


class Target(Section, frozen=True):
    """A deployment. `source` is the file it came from; `hosts` are testinfra URLs (local, ssh, docker).

    `secrets_file` (dotenv format, mode 0600 or stricter) gives the `${VARIABLE}`s that the process environment lacks.
    """

    name: str
    api: Api
    hosts: tuple[str, ...] = ("local://",)
    state_dir: str = ".voice-v2-rollback"
    production: bool = False
    service: ServiceControl | None = None
    environment: Environment | None = None
    code: Code | None = None
    virtualenv: Virtualenv | None = None
    objects: Objects | None = None
    database: Database | None = None
    providers: tuple[Provider, ...] = ()
    provider_settings: ProviderSettings | None = None
    monitoring: Monitoring | None = None
    record: str | None = None
    snapshots: Snapshots = Snapshots()
    criteria: dict[str, str | bool] = {}
    budget: Budget = Budget()
    mark: str = "rollback-suite"
    secrets_file: str | None = None
    source: str = ""

    def __repr__(self) -> str:
        return f"Target({self.name!r}, {self.api.url!r}, hosts={self.hosts!r})"
