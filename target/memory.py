"""How much memory the service takes: the resident bytes of its main process and of everything below it."""

import msgspec

from target.host import Host

_PROCESSES = "cat /proc/[0-9]*/status 2>/dev/null || true"


class Process(msgspec.Struct, frozen=True):
    """A process of the host; `resident` is its RSS in bytes."""

    pid: int
    parent: int
    resident: int


def resident(host: Host, pid: int) -> int | None:
    """Resident bytes of a process and all below it; None where it is not a process of the host. Raises HostError."""
    return sum(process.resident for process in family(pid, processes(host.shell(_PROCESSES).stdout))) or None


def processes(status_files: str) -> list[Process]:
    """Processes from the text of `/proc/*/status`, one file after the other."""
    found = []
    for block in ("\n" + status_files).split("\nName:")[1:]:
        fields = dict(line.split(":", 1) for line in block.splitlines()[1:] if ":" in line)
        if "Pid" in fields and "PPid" in fields:
            kilobytes = fields.get("VmRSS", "0").split()[0]
            found.append(Process(int(fields["Pid"]), int(fields["PPid"]), int(kilobytes) * 1024))
    return found


def family(pid: int, everyone: list[Process]) -> list[Process]:
    """A process and everything below it."""
    below: dict[int, list[Process]] = {}
    for process in everyone:
        below.setdefault(process.parent, []).append(process)
    found = [process for process in everyone if process.pid == pid]
    for process in found:
        found.extend(below.get(process.pid, []))
    return found
