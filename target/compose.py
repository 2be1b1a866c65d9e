"""A service of a compose project: `docker compose` (v2) or `docker-compose` (1.29), whichever the host has."""

import functools
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import yaml

from target import process
from target.compose_files import files_of
from target.description import Compose
from target.errors import HostError
from target.host import Host
from target.service import ServiceStatus, State, Verb

_CHANGE_S = 300.0
_PROGRAMS = (("docker", "compose"), ("docker-compose",))
_STOPPED_BY_REQUEST = (0, 137, 143)  # by itself, and by the signals of `docker stop`
_INSPECT = """
ids=$("$@") || exit
[ -z "$ids" ] || docker inspect $ids
"""
_LABEL = "com.docker.compose."
_STATES: dict[str, State] = {
    "created": "stopped",
    "paused": "stopped",
    "removing": "stopped",
    "restarting": "failed",
    "dead": "failed",
    "running": "running",
}


class _Health(msgspec.Struct, rename="pascal"):
    status: str = "none"


class _State(msgspec.Struct, rename="pascal"):
    status: str
    started_at: str
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    health: _Health | None = None


class _Config(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None
    env: list[str] | None = None


class Container(msgspec.Struct, rename="pascal"):
    """What `docker inspect` says, as far as it matters here. `image` is the image's ID."""

    id: str
    image: str
    state: _State
    restart_count: int = 0
    config: _Config = msgspec.field(default_factory=_Config)

    def label(self, name: str) -> str:
        """One of the labels that compose gave it; empty where it has none."""
        return (self.config.labels or {}).get(_LABEL + name, "")

    @property
    def one_off(self) -> bool:
        """Whether `compose run` made it, beside the service."""
        return self.label("oneoff") == "True"

    @property
    def health(self) -> str:
        """What its own health check says: none, starting, healthy, unhealthy."""
        return self.state.health.status if self.state.health else "none"

    @property
    def started_at(self) -> float:
        """When it was started, seconds since the epoch of the host; 0 or less when it does not run."""
        return _seconds(self.state.started_at) if self.state.status == "running" else 0.0

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it was made with."""
        return dict(entry.partition("=")[::2] for entry in self.config.env or [])


class ComposeService:
    """One service of a compose project, in one container."""

    def __init__(self, host: Host, settings: Compose) -> None:
        self._host = host
        self._settings = settings
        self._known_as = ""  # the project's name, once one of its containers has told it
        self.name = settings.service

    def status(self) -> ServiceStatus:
        """Raises HostError: no compose, no such file or service, or several containers of it."""
        container = self.container()
        if container is None:
            return ServiceStatus(
                state="stopped", pid=None, started_at=None, restarts=None, detail="no container"
            )
        state = container.state
        running = state.status == "running"
        return ServiceStatus(
            state=_state(state),
            pid=state.pid or None,
            started_at=container.started_at if running else None,
            restarts=container.restart_count,
            detail=_detail(state),
        )

    def start(self) -> None:
        self._change("start")

    def stop(self) -> None:
        self._change("stop")

    def restart(self) -> None:
        """Make the container anew: `compose restart` would keep the environment of the old one."""
        self._change("restart")

    def commands(self, verb: Verb) -> str:
        return shlex.join(self._words(verb))

    def process_environment(self) -> dict[str, str] | None:
        """As the container's first process has it; read in the container, else on the host."""
        container = self.container()
        if container is None or container.state.status != "running":
            return None
        environ = self._host.run(["docker", "exec", container.id, "cat", "/proc/1/environ"])
        if environ.ok:
            return process.variables(environ.stdout.encode())
        return process.environment(self._host, container.state.pid)

    def logs(self, lines: int = 50) -> str:
        return self._host.must(
            [*self._base, "logs", "--no-color", "--no-log-prefix", "--tail", str(lines), self.name]
        )

    def image_digest(self) -> str | None:
        container = self.container()
        return container.image if container else None

    def config(self, profiles: Sequence[str], *, proposed: tuple[str, bytes] | None = None) -> dict[str, Any]:
        """What the compose program makes of the files, every scalar as text; `proposed`: with another content for one.

        Raises HostError when it cannot read them; its words may quote them.
        """
        words = self._files_words(
            "/dev/stdin" if proposed and proposed[0] == path else path for path in self.files
        )
        folder = self.files[0].rpartition("/")[0] or "/"
        more = [word for profile in profiles for word in ("--profile", profile)]
        line = [*self._program, "--project-directory", folder, *words, *self._project, *more, "config"]
        ran = self._host.shell('exec "$@"', *line, stdin=proposed[1] if proposed else b"")
        if not ran.ok:
            said = (ran.stderr.strip().splitlines() or [f"status {ran.status}"])[-1]
            raise HostError(f"{self._host.url}: {self._program[-1]} cannot read its files: {said}")
        # Text throughout: what differs as text differs, and no dialect of numbers comes in between.
        read = yaml.load(ran.stdout, Loader=yaml.BaseLoader)  # noqa: S506  (the base loader makes strings only)
        return read if isinstance(read, dict) else {}

    @functools.cached_property
    def files(self) -> tuple[str, ...]:
        """The files of the project, the last of which wins."""
        return files_of(
            self._host, self._settings, "compose-v1" if self._program == _PROGRAMS[1] else "compose"
        )

    @functools.cached_property
    def _program(self) -> tuple[str, ...]:
        for words in _PROGRAMS:
            if self._host.run([*words, "version"]).ok:
                return words
        raise HostError(
            f"{self._host.url}: neither `docker compose` nor `docker-compose` works there; install one, "
            "or name another host"
        )

    @property
    def _base(self) -> list[str]:
        return [*self._program, *self._files_words(self.files), *self._project]

    @property
    def _project(self) -> list[str]:
        return ["-p", self._settings.project] if self._settings.project else []

    @staticmethod
    def _files_words(files: Iterable[str]) -> list[str]:
        return [word for path in files for word in ("-f", path)]

    def _words(self, verb: Verb) -> list[str]:
        # Stopped containers count too; 1.29 lists them anyway, and by `--all` those of `run` as well.
        listed = ["ps", "--all", "-q"] if self._program == _PROGRAMS[0] else ["ps", "-q"]
        up = ["up", "-d", "--no-deps", "--no-build"]
        words = {"status": listed, "start": up, "stop": ["stop"], "restart": [*up, "--force-recreate"]}
        return [*self._base, *words[verb], self.name]

    def _change(self, verb: Verb) -> None:
        self._host.must(self._words(verb), timeout_s=_CHANGE_S)

    def container(self) -> Container | None:
        """The one container of the service, None when there is none. Raises HostError: several, no compose, no file."""
        ran = self._host.shell(_INSPECT, *(self._words("status") if not self._known_as else self._listing()))
        if not ran.ok:
            said = (ran.stderr.strip().splitlines() or [f"status {ran.status}"])[-1]
            raise HostError(
                f"{self._host.url}: {self.commands('status')}: {said}; check file and service in the target"
            )
        found = [] if not ran.stdout.strip() else _decode(ran.stdout, self._host.url)
        containers = [container for container in found if not container.one_off]
        if len(containers) > 1:
            raise HostError(
                f"{self._host.url}: {self.name} runs in {len(containers)} containers, and only one can be controlled; "
                f"scale it to one, or make a target of each"
            )
        self._known_as = containers[0].label("project") if containers else ""
        return containers[0] if containers else None

    def _listing(self) -> list[str]:
        """What compose itself asks the engine, without starting compose, which takes 1.29 almost half a second."""
        labels = (f"project={self._known_as}", f"service={self.name}")
        return ["docker", "ps", "--all", "-q", *(f"--filter=label={_LABEL}{label}" for label in labels)]


def _decode(output: str, place: str) -> list[Container]:
    try:
        return msgspec.json.decode(output, type=list[Container])
    except msgspec.DecodeError as error:
        raise HostError(f"{place}: docker inspect answered something else than expected: {error}") from None


def _state(state: _State) -> State:
    if state.status == "exited":
        return "stopped" if state.exit_code in _STOPPED_BY_REQUEST and not state.oom_killed else "failed"
    if state.status == "running" and state.health is not None and state.health.status == "starting":
        return "starting"
    return _STATES.get(state.status, "failed")


def _detail(state: _State) -> str:
    parts: list[Any] = [state.status]
    if state.health is not None and state.health.status != "none":
        parts.append(state.health.status)
    if state.status in ("exited", "dead", "restarting"):
        parts.append(f"exit code {state.exit_code}")
    if state.oom_killed:
        parts.append("killed for memory")
    if state.error:
        parts.append(state.error)
    return ", ".join(parts)


def _seconds(stamp: str) -> float:
    """Docker's time of nanoseconds in UTC, as seconds since the epoch."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
