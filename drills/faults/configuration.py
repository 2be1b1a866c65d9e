"""Faults of the environment file: wrong values, missing ones, a process that has not read what is there."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks import service
from drills.stacks.errors import StackError
from drills.stacks.layout import write_private
from drills.stacks.stack import Stack
from target.wait import Seen, eventually

_STOPS_S = 20.0
_ACTION = "environment"
_BOM = b"\xef\xbb\xbf"


class EnvironmentFault(Fault, frozen=True):
    """`.env` is edited and the service restarted; `previous` edits `.env.previous`, from what `.env` was before.

    `then` is how the service is afterwards: up and unhealthy, up and unaware of it, or not up at all.
    """

    edit: Callable[[bytes], bytes]
    previous: Callable[[bytes], bytes] | None = None
    then: Literal["unhealthy", "unaware", "down"] = "unaware"
    component: str | None = None

    def prepare(self, at: Place) -> None:
        for path in (at.stack.layout.environment, at.stack.layout.environment_previous):
            write_private(at.saved / path.name, path.read_bytes())

    def inject(self, at: Place) -> None:
        before = (at.saved / ".env").read_bytes()
        write_private(at.stack.layout.environment, self.edit(before))
        if self.previous is not None:
            write_private(at.stack.layout.environment_previous, self.previous(before))
        try:
            at.stack.supervisor.restart(service.NAME)
        except StackError:  # systemd refuses to start it at once
            if self.then != "down":
                raise

    def landed(self, at: Place) -> str:
        if at.stack.layout.environment.read_bytes() == (at.saved / ".env").read_bytes():
            raise FaultError(f"{self.name}: .env is what it was")
        if self.then == "down":
            return self._down(at.stack)
        at.stack.wait_service(status="unhealthy" if self.then == "unhealthy" else None)
        if self.component is None:
            late = _seconds_after(at)
            if late <= 0:
                raise FaultError(f"{self.name}: the process is older than the change")
            return f"the process started {late:.1f} s after .env was changed"
        components = (at.stack.health() or {}).get("components")
        told = components.get(self.component) if isinstance(components, dict) else None
        error = told.get("error") if isinstance(told, dict) else None
        if not error:
            raise FaultError(f"{self.name}: the service does not complain of its {self.component}")
        return f"the service says: {error}"

    def _down(self, stack: Stack) -> str:
        def look() -> Seen:
            state = stack.supervisor.state(service.NAME)
            return Seen(state.state in ("FATAL", "BACKOFF", "EXITED"), state.state)

        waited = eventually(look, deadline_s=_STOPS_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the service runs all the same ({waited.seen})")
        return f"the service does not start: its supervisor says {waited.seen}"

    def heal(self, at: Place) -> None:
        for path in (at.stack.layout.environment, at.stack.layout.environment_previous):
            write_private(path, (at.saved / path.name).read_bytes())
        at.stack.restart_service()


class NotRestarted(Fault, frozen=True):
    """The process was started with another `.env` than the one that lies there again."""

    def prepare(self, at: Place) -> None:
        write_private(at.saved / ".env", at.stack.layout.environment.read_bytes())

    def inject(self, at: Place) -> None:
        before = (at.saved / ".env").read_bytes()
        write_private(at.stack.layout.environment, value("PROVIDER_TIMEOUT_S", "9")(before))
        at.stack.restart_service()
        write_private(at.stack.layout.environment, before)

    def landed(self, at: Place) -> str:
        if at.stack.layout.environment.read_bytes() != (at.saved / ".env").read_bytes():
            raise FaultError(f"{self.name}: .env is not what it was")
        early = -_seconds_after(at)
        if early <= 0:
            raise FaultError(f"{self.name}: the process is younger than .env")
        return f"the process started {early:.1f} s before .env was put back"

    def heal(self, at: Place) -> None:
        write_private(at.stack.layout.environment, (at.saved / ".env").read_bytes())
        at.stack.restart_service()


def _seconds_after(at: Place) -> float:
    """How long after `.env` was last changed the service's process started, in seconds."""
    pid = at.stack.supervisor.state(service.NAME).pid
    # To a hundredth of a second; what counts from the boot time in /proc/stat is wrong by up to a whole one.
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    started = booted + ticks / os.sysconf("SC_CLK_TCK")
    return started - at.stack.layout.environment.stat().st_ctime


def value(name: str, new: str | None) -> Callable[[bytes], bytes]:
    """An edit that gives a variable another value, or takes it out (None)."""

    def edit(content: bytes) -> bytes:
        start = f"{name}=".encode()
        lines = content.splitlines(keepends=True)
        if sum(line.startswith(start) for line in lines) != 1:
            raise FaultError(f".env does not have {name} once")
        put = b"" if new is None else start + new.encode() + b"\n"
        return b"".join(put if line.startswith(start) else line for line in lines)

    return edit


def _wrong_password(content: bytes) -> bytes:
    head, _, rest = content.partition(b"DATABASE_URL=postgresql://voice:")
    password, _, tail = rest.partition(b"@")
    if not password:
        raise FaultError(".env has no DATABASE_URL of the stack's own form")
    return head + b"DATABASE_URL=postgresql://voice:rotated-last-week@" + tail


def _crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def added(line: bytes) -> Callable[[bytes], bytes]:
    """An edit that adds a line at the end."""
    return lambda content: content.removesuffix(b"\n") + b"\n" + line + b"\n"


def _bom(content: bytes) -> bytes:
    """A byte-order mark right before the first variable, whose name it becomes part of."""
    return _BOM + b"".join(line for line in content.splitlines(keepends=True) if not line.startswith(b"#"))


def _windows(content: bytes) -> bytes:
    return _crlf(_bom(content))


_RECORD = "environment_matches_record"
_DOWN = ("service_ready", _RECORD)
_REFUSED = ("tts_success_rate", "stt_success_rate", _RECORD)
_COMPONENTS = ("components_healthy", *_REFUSED)

FAULTS: tuple[Fault, ...] = (
    EnvironmentFault(
        name="database-password-wrong",
        says="the service was restarted with a wrong database password in .env",
        part="environment",
        must=_COMPONENTS,
        shows=("components_healthy",),
        scenario=3,
        cure=_ACTION,
        edit=_wrong_password,
        then="unhealthy",
        component="database",
    ),
    EnvironmentFault(
        name="bucket-name-wrong",
        says="the service was restarted with a bucket in .env that does not exist",
        part="environment",
        must=_COMPONENTS,
        shows=("components_healthy",),
        scenario=3,
        cure=_ACTION,
        edit=value("S3_BUCKET", "voice-files-new"),
        then="unhealthy",
        component="storage",
    ),
    EnvironmentFault(
        name="key-missing",
        says="a variable is missing in .env, and the service does not start without it",
        part="environment",
        must=_DOWN,
        shows=("service_ready",),
        scenario=3,
        cure=_ACTION,
        edit=value("API_TOKEN", None),
        then="down",
    ),
    *(
        EnvironmentFault(
            name=f"{provider}-key-wrong",
            says=f"the service was restarted with a wrong key for {provider} in .env",
            part="environment",
            must=(_RECORD, "all_providers_healthy", *also),
            scenario=3,
            cure=_ACTION,
            edit=value(f"{provider.upper()}_API_KEY", "a-key-that-was-revoked"),
        )
        for provider, also in (("openai", ("primary_answers",)), ("google", ()), ("yandex", ()))
    ),
    EnvironmentFault(
        name="key-twice",
        says="API_TOKEN stands in .env twice, and the second, an old one, is what counts: every client is refused",
        part="environment",
        must=_REFUSED,
        scenario=3,
        cure=_ACTION,
        edit=added(b"API_TOKEN=vt-a-token-of-last-year"),
    ),
    EnvironmentFault(
        name="environment-crlf-and-bom",
        says=".env was saved with CRLF line ends and a byte-order mark, which hides its first variable",
        part="environment",
        must=(_RECORD,),
        scenario=3,
        cure=_ACTION,
        edit=_windows,
    ),
    EnvironmentFault(
        name="environment-unreadable",
        says="a value in .env is not UTF-8, and nothing that reads the file gets past it",
        part="environment",
        must=_DOWN,
        shows=("service_ready",),
        scenario=3,
        cure=_ACTION,
        edit=added("CHANGED_BY=Jürgen".encode("latin-1")),
        then="down",
    ),
    EnvironmentFault(
        name="debug-left-on",
        says="the service was restarted with DEBUG on",
        part="environment",
        must=("debug_off", _RECORD),
        scenario=3,
        cure=_ACTION,
        edit=added(b"DEBUG=true"),
    ),
    NotRestarted(
        name="environment-not-restarted",
        says=".env was put back, the process still runs with the other one",
        part="environment",
        must=("process_runs_current_environment",),
        scenario=3,
        cure=_ACTION,
        restart=True,
    ),
    EnvironmentFault(
        name="previous-equals-broken",
        says="a wrong database password in .env, and the same in .env.previous",
        part="environment",
        must=_COMPONENTS,
        shows=("components_healthy",),
        scenario=3,
        edit=_wrong_password,
        previous=_wrong_password,
        then="unhealthy",
        component="database",
    ),
    EnvironmentFault(
        name="previous-crlf",
        says="a wrong database password in .env; .env.previous is right, with CRLF line ends",
        part="environment",
        must=_COMPONENTS,
        shows=("components_healthy",),
        scenario=3,
        cure=_ACTION,
        edit=_wrong_password,
        previous=_crlf,
        then="unhealthy",
        component="database",
    ),
    EnvironmentFault(
        name="previous-bom",
        says="a wrong database password in .env; in .env.previous a byte-order mark hides the first variable",
        part="environment",
        must=_COMPONENTS,
        shows=("components_healthy",),
        scenario=3,
        edit=_wrong_password,
        previous=_bom,
        then="unhealthy",
        component="database",
    ),
)
