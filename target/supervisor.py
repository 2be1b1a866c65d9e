"""A program under supervisord: `supervisorctl` on the host."""

import re
import shlex

from target import process
from target.description import Supervisor
from target.errors import HostError
from target.host import Host, Ran
from target.service import ServiceStatus, State, Verb

_CHANGE_S = 120.0
_BYTES_A_LINE = 400
_STATES: dict[str, State] = {
    "RUNNING": "running",
    "STARTING": "starting",
    "STOPPED": "stopped",
    "STOPPING": "stopped",
    "BACKOFF": "failed",
    "FATAL": "failed",
    "EXITED": "failed",
    "UNKNOWN": "failed",
}
# supervisorctl is a Python program that takes a good tenth of a second: ask it once, and read /proc for the rest.
_STATUS = (
    process.FACTS
    + """
said=$("$@" 2>&1)
printf '%s\\0' "$said"
pid=$(printf '%s\\n' "$said" | sed -n 's/^.* RUNNING  *pid \\([0-9]*\\),.*$/\\1/p')
[ -z "$pid" ] || process_facts "$pid"
"""
)
_LOGS = """
bytes=$1 program=$2
shift 2
for channel in stdout stderr; do
    "$@" tail "-$bytes" "$program" $channel 2>&1
    printf '\\0'
done
"""
_HARMLESS = re.compile(r"ERROR \((not running|already started)\)")


class SupervisedService:
    """One program of a supervisord."""

    def __init__(self, host: Host, settings: Supervisor) -> None:
        self._host = host
        self._settings = settings
        self.name = settings.program

    def status(self) -> ServiceStatus:
        """Raises HostError: supervisord does not answer, or knows no such program."""
        ran = self._host.shell(_STATUS, *self._words("status"))
        said, _, rest = ran.stdout.partition("\0")
        for line in said.splitlines():
            name, state, *detail = [*line.split(maxsplit=2), "", ""][:3]
            if name in (self.name, f"{self.name}:{self.name}") and state in _STATES:
                main = process.parse(rest)
                return ServiceStatus(
                    state=_STATES[state],
                    pid=main.pid if main else None,
                    started_at=main.started_at if main else None,
                    restarts=None,
                    detail=" ".join([state, *detail]).strip(),
                )
        raise self._refused("status", said or ran.stderr)

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
        """The last lines of its standard output, then those of its standard error."""
        ran = self._host.shell(_LOGS, str(lines * _BYTES_A_LINE), self.name, *self._base)
        kept: list[str] = []
        for channel in ran.stdout.split("\0")[:2]:
            if f"{self.name}: ERROR (no log file)" not in channel:
                kept += channel.strip("\n").splitlines()[-lines:]
        return "\n".join(kept)

    def image_digest(self) -> str | None:
        return None

    @property
    def _base(self) -> list[str]:
        return [*shlex.split(self._settings.supervisorctl), "-c", self._settings.config]

    def _words(self, verb: Verb) -> list[str]:
        return [*self._base, verb, self.name]

    def _change(self, verb: Verb) -> None:
        ran = self._host.run(self._words(verb), timeout_s=_CHANGE_S)
        if _failed(ran):
            raise self._refused(verb, f"{ran.stdout}\n{ran.stderr}")

    def _refused(self, verb: Verb, output: str) -> HostError:
        said = " / ".join(line.strip() for line in output.strip().splitlines()[-3:])
        if "ERROR (no such" in output:
            then = "check service.supervisor.program in the target"
        elif "ERROR" in output:
            then = f"look at: {shlex.join([*self._base, 'tail', self.name])}"
        else:
            then = "is supervisord running there, with this configuration?"
        return HostError(f"{self._host.url}: {self.commands(verb)}: {said or 'no output'}; {then}")


def _failed(ran: Ran) -> bool:
    """Whether a change failed: by status, and by words where old versions end with status 0."""
    return "ERROR" in _HARMLESS.sub("", ran.stdout) or (not ran.ok and not _HARMLESS.search(ran.stdout))
