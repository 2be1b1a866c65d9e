"""How the service of a target is controlled: systemd unit, compose service, or program under supervisord."""

from typing import Literal, Protocol

import msgspec

from target.description import Target
from target.host import Host


class ServiceStatus(msgspec.Struct, frozen=True):
    """What the controller says. `started_at` is the start of the main process, seconds since the epoch of the host."""

    state: Literal["running", "starting", "stopped", "failed"]
    pid: int | None
    started_at: float | None
    restarts: int | None
    detail: str


class Service(Protocol):
    """One service on one host. Every call is bounded and raises `HostError` when the controller cannot be asked."""

    name: str

    def status(self) -> ServiceStatus: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def restart(self) -> None: ...

    def commands(self, verb: Literal["start", "stop", "restart", "status"]) -> str:
        """The command line that `verb` would run, for plans and next steps."""
        ...

    def process_environment(self) -> dict[str, str] | None:
        """Environment of the running main process (`/proc/PID/environ`), None when it is not running."""
        ...

    def logs(self, lines: int = 50) -> str:
        """The last lines that the service logged."""
        ...

    def image_digest(self) -> str | None:
        """Image ID of the running container; None where the service is not a container."""
        ...


def service_of(target: Target, host: Host) -> Service | None:
    """The controller that the target names, or None when it names none. Raises TargetError when it names several."""
    raise NotImplementedError
