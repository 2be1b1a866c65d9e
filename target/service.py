"""How the service of a target is controlled: systemd unit, compose service, or program under supervisord."""

from typing import Literal, Protocol

import msgspec

from target.description import Compose, Supervisor, Target
from target.errors import TargetError
from target.host import Host
from target.wait import Seen, eventually

# supervisord calls a program starting for its `startsecs`, and tells no process until then.
_STARTS_S = 30.0
State = Literal["running", "starting", "stopped", "failed"]
Verb = Literal["start", "stop", "restart", "status"]


class ServiceStatus(msgspec.Struct, frozen=True):
    """What the controller says. `started_at` is the start of the main process, seconds since the epoch of the host.

    `failed` includes a controller that keeps starting it again (BACKOFF, auto-restart, restarting).
    """

    state: State
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

    def commands(self, verb: Verb) -> str:
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
    control = target.service
    if control is None:
        return None
    named = [each for each in (control.systemd, control.compose, control.supervisor) if each is not None]
    if len(named) != 1:
        raise TargetError(
            f"{target.source}: service: name exactly one of systemd, compose, supervisor, not {len(named)}"
        )
    return _controller(named[0], host)


def _controller(named: str | Compose | Supervisor, host: Host) -> Service:
    from target.compose import ComposeService
    from target.supervisor import SupervisedService
    from target.systemd import SystemdService

    if isinstance(named, Compose):
        return ComposeService(host, named)
    if isinstance(named, Supervisor):
        return SupervisedService(host, named)
    return SystemdService(host, named)


def settled(service: Service) -> ServiceStatus:
    """What the control says once it calls the service no longer starting, or after a while. Raises HostError."""
    last: list[ServiceStatus] = []

    def look() -> Seen:
        last[:] = [service.status()]
        return Seen(last[0].state != "starting", last[0].detail)

    eventually(look, deadline_s=_STARTS_S)
    return last[0]
