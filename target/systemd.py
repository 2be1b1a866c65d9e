"""A systemd unit: `systemctl` and `journalctl` on the host."""

import shlex

from target import process
from target.errors import HostError
from target.host import Host
from target.service import ServiceStatus, State, Verb

_CHANGE_S = 120.0  # over systemd's own limit of 90 s for one start or stop
_PROPERTIES = "LoadState,ActiveState,SubState,Result,ExecMainStatus,MainPID,NRestarts"
_STATUS = (
    process.FACTS
    + """
shown=$(systemctl show -p "$2" -- "$1") || exit
printf '%s\\0' "$shown"
pid=$(printf '%s\\n' "$shown" | sed -n 's/^MainPID=//p')
[ "${pid:-0}" = 0 ] || process_facts "$pid"
"""
)
_STATES: dict[str, State] = {
    "active": "running",
    "reloading": "running",
    "activating": "starting",
    "failed": "failed",
}


class SystemdService:
    """A unit of the host's systemd."""

    def __init__(self, host: Host, unit: str) -> None:
        self._host = host
        self.name = unit

    def status(self) -> ServiceStatus:
        """Raises HostError: no systemd there, or no such unit."""
        ran = self._host.shell(_STATUS, self.name, _PROPERTIES)
        if not ran.ok:
            said = (ran.stderr.strip().splitlines() or [f"status {ran.status}"])[-1]
            raise HostError(
                f"{self._host.url}: systemctl show {self.name}: {said}; is this the host with the unit?"
            )
        shown, _, rest = ran.stdout.partition("\0")
        properties = dict(line.partition("=")[::2] for line in shown.splitlines())
        if properties.get("LoadState") == "not-found":
            raise HostError(
                f"{self._host.url}: systemd knows no unit {self.name!r}; look at: systemctl list-units --type=service"
            )
        main = process.parse(rest)
        restarts = properties.get("NRestarts", "")
        return ServiceStatus(
            state=_state(properties, main),
            pid=main.pid if main else None,
            started_at=main.started_at if main else None,
            restarts=int(restarts) if restarts.isdigit() else None,
            detail=_detail(properties),
        )

    def start(self) -> None:
        self._change("start")

    def stop(self) -> None:
        self._change("stop")

    def restart(self) -> None:
        self._change("restart")

    def commands(self, verb: Verb) -> str:
        return shlex.join(self._words(verb))

    def process_environment(self) -> dict[str, str] | None:
        pid = self.status().pid
        return None if pid is None else process.environment(self._host, pid)

    def logs(self, lines: int = 50) -> str:
        return self._host.must(["journalctl", "-u", self.name, "-n", str(lines), "-o", "cat", "--no-pager"])

    def image_digest(self) -> str | None:
        return None

    def _words(self, verb: Verb) -> list[str]:
        return ["systemctl", "--no-ask-password", verb, self.name]

    def _change(self, verb: Verb) -> None:
        self._host.must(self._words(verb), timeout_s=_CHANGE_S)


def _state(properties: dict[str, str], main: process.Process | None) -> State:
    if properties.get("SubState") == "auto-restart":
        return "failed"
    state = _STATES.get(properties.get("ActiveState", ""), "stopped")
    return "stopped" if state == "running" and main is None else state


def _detail(properties: dict[str, str]) -> str:
    detail = f"{properties.get('ActiveState')} ({properties.get('SubState')})"
    if properties.get("Result") not in (None, "", "success"):
        detail += f", {properties['Result']}, exit status {properties.get('ExecMainStatus')}"
    if properties.get("LoadState") != "loaded":
        detail += f", unit is {properties.get('LoadState')}"
    return detail
