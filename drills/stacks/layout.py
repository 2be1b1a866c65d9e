"""Where everything of a stack lies: its folder, its ports, its secrets, and the file that remembers them."""

import os
import random
import secrets
import socket
from pathlib import Path
from typing import TypeVar

import msgspec

from drills.stacks.errors import StackError

FORMAT = 2
PROCESSES = "processes"
CONTAINERS = "containers"
AUTO = "auto"
KINDS = (PROCESSES, CONTAINERS)
LOOPBACK = "127.0.0.1"
# In the environment of every process of a stack: the folder that it belongs to.
MARK = "VOICE_V2_DRILL_STACK"
# Below the range from which the kernel gives outgoing connections their ports (32768 up by default on Linux), so
# that a chosen port is not lent to a stranger between choosing it and using it.
_PORTS = range(15000, 32000)


class Layout(msgspec.Struct, frozen=True):
    """The paths inside the folder of a stack."""

    root: Path

    @property
    def stack_file(self) -> Path:
        """Marks the folder as a stack; ports and secrets, mode 0600."""
        return self.root / "stack.json"

    @property
    def target_file(self) -> Path:
        return self.root / "target.yaml"

    @property
    def target_secrets(self) -> Path:
        return self.root / "secrets.env"

    @property
    def faults_file(self) -> Path:
        return self.root / "faults.json"

    @property
    def saved(self) -> Path:
        """What injected faults set aside, so that healing can put it back."""
        return self.root / "saved"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Configuration of the parts, locks, pid files."""
        return self.root / "run"

    @property
    def settled(self) -> Path:
        """There once the stack is complete and may outlive the command that started it."""
        return self.run / "settled"

    @property
    def alive(self) -> Path:
        """Locked by the keeper for as long as the stack runs; holds the keeper's pid."""
        return self.run / "alive"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def storage(self) -> Path:
        return self.root / "storage"

    @property
    def repository(self) -> Path:
        return self.root / "service.git"

    @property
    def service(self) -> Path:
        return self.root / "service"

    @property
    def environment(self) -> Path:
        return self.service / ".env"

    @property
    def environment_previous(self) -> Path:
        return self.service / ".env.previous"

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def compose(self) -> Path:
        """The compose project, where the stack has one."""
        return self.root / "compose"

    @property
    def target_compose(self) -> Path:
        """The target file of the compose project."""
        return self.root / "target-compose.yaml"

    @property
    def backups(self) -> Path:
        """What `rollback snapshot` takes, and the actions go back to."""
        return self.root / "backups"

    @property
    def state(self) -> Path:
        """The target's `state_dir`."""
        return self.root / "state"

    def own(self) -> tuple[Path, ...]:
        """Everything that a stack puts into its folder; nothing else in there is ever removed."""
        return (
            self.target_file,
            self.target_secrets,
            self.faults_file,
            self.saved,
            self.logs,
            self.run,
            self.postgres,
            self.storage,
            self.repository,
            self.service,
            self.venv,
            *self.root.glob(f"{self.venv.name}.*"),  # what rollbacks have set aside
            self.compose,
            self.target_compose,
            self.backups,
            self.state,
            self.stack_file,
        )


class Ports(msgspec.Struct, frozen=True):
    """The ports on 127.0.0.1. `api` is the front's, where the target is asked; each `way_…` is the network's, by which
    the service asks a part."""

    api: int
    front_control: int
    service: int
    postgres: int
    s3: int
    openai: int
    google: int
    yandex: int
    providers_control: int
    network_control: int
    way_postgres: int
    way_storage: int
    way_openai: int
    way_google: int
    way_yandex: int


class Secrets(msgspec.Struct, frozen=True):
    """Random for every stack; `yandex_folder` is an identifier, kept here for company."""

    database_password: str
    s3_access_key: str
    s3_secret_key: str
    s3_root_password: str
    api_token: str
    openai_api_key: str
    google_api_key: str
    yandex_api_key: str
    yandex_folder: str
    supervisor_password: str

    def __repr__(self) -> str:
        return "Secrets(••••)"


class StackFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `stack.json` remembers of any stack; each kind adds its own.

    `latency_s` is how long the stand-ins take to answer, in seconds.
    """

    kind: str = PROCESSES
    ports: Ports
    secrets: Secrets
    latency_s: float | None
    format: int = FORMAT


class _Written(msgspec.Struct, frozen=True):
    format: int


_Ports = TypeVar("_Ports", bound=Ports)
_File = TypeVar("_File", bound=StackFile)


def choose_ports(kind: type[_Ports]) -> _Ports:
    """Different ports that are free on 127.0.0.1 now. Raises StackError when there are none."""
    names = kind.__struct_fields__
    held: list[socket.socket] = []
    try:
        for candidate in random.sample(_PORTS, len(_PORTS)):
            if len(held) == len(names):
                break
            listener = socket.socket()
            try:
                listener.bind((LOOPBACK, candidate))
            except OSError:
                listener.close()
                continue
            held.append(listener)
        if len(held) < len(names):
            raise StackError(
                f"only {len(held)} free ports on {LOOPBACK} between {_PORTS.start} and {_PORTS.stop}"
            )
        return kind(*(listener.getsockname()[1] for listener in held))
    finally:
        for listener in held:
            listener.close()


def new_secrets() -> Secrets:
    """Fresh random secrets, in the shape that each owner gives to its own."""
    return Secrets(
        database_password=secrets.token_hex(16),
        s3_access_key="VOICE" + secrets.token_hex(8).upper(),
        s3_secret_key=secrets.token_hex(20),
        s3_root_password=secrets.token_hex(20),
        api_token="vt-" + secrets.token_hex(20),
        openai_api_key="sk-proj-" + secrets.token_hex(24),
        google_api_key="AIza" + secrets.token_hex(18),
        yandex_api_key="AQVN" + secrets.token_hex(18),
        yandex_folder="b1g" + secrets.token_hex(9),
        supervisor_password=secrets.token_hex(16),
    )


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner may read: beside, then renamed over, so that it is whole or not there."""
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_stack_file(layout: Layout, kind: type[_File]) -> _File:
    """What the folder remembers. Raises StackError: not a stack, unreadable, of another format."""
    try:
        content = layout.stack_file.read_bytes()
    except FileNotFoundError:
        raise StackError(
            f"{layout.root} is not a stack (it has no stack.json); make one: python -m drills up --dir {layout.root}"
        ) from None
    except OSError as error:
        raise StackError(f"cannot read {layout.stack_file}: {error.strerror}") from error
    try:
        written = msgspec.json.decode(content, type=_Written)
        if written.format == FORMAT:
            return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise StackError(f"{layout.stack_file} is not what a stack writes: {error}") from error
    raise StackError(
        f"{layout.stack_file} is of format {written.format}, this is format {FORMAT}; remove the folder, "
        "then what runs of it: python -m drills sweep"
    )
