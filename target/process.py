"""A process on a host as `/proc` shows it: when it started, and the environment that it was started with."""

import msgspec

from target.errors import HostError
from target.host import Host

# Prints, each ended by a NUL: the process's stat line, that of a process started this very moment, clock ticks a
# second, and the time. Two stat lines share a clock, which /proc/uptime does not in some containers.
FACTS = """
process_facts() {
    [ -r "/proc/$1/stat" ] || return 0
    cat "/proc/$1/stat"; printf '\\0'
    cat /proc/self/stat; printf '\\0'
    date +%s.%N; printf '\\0'
    getconf CLK_TCK 2>/dev/null || echo 100; printf '\\0'
}
"""

_START_FIELD = 19  # of the fields after the command's name; proc(5), starttime is number 22


class Process(msgspec.Struct, frozen=True):
    """A process and its start, in seconds since the epoch of the host (± 20 ms)."""

    pid: int
    started_at: float


def parse(output: str) -> Process | None:
    """What `process_facts` printed; None when there was no such process."""
    parts = output.split("\0")
    if len(parts) < 5:
        return None
    pid = int(parts[0].split(" ", 1)[0])
    started, now = (int(stat.rsplit(")", 1)[1].split()[_START_FIELD]) for stat in parts[:2])
    return Process(pid=pid, started_at=float(parts[2]) - (now - started) / int(parts[3]))


def environment(host: Host, pid: int) -> dict[str, str] | None:
    """What a process was started with, None when it is gone. Raises HostError where it may not be read."""
    path = f"/proc/{pid}/environ"
    try:
        return variables(host.read(path))
    except HostError:
        if host.facts(f"/proc/{pid}") is None:
            return None
        raise


def variables(environ: bytes) -> dict[str, str]:
    """The variables of an `environ` file; bytes that are not UTF-8 survive as surrogates."""
    pairs = (entry.partition(b"=") for entry in environ.split(b"\0") if b"=" in entry)
    return {_text(name): _text(value) for name, _, value in pairs}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
