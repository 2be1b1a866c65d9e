"""What a stack holds on to at a moment: processes, open files, connections, locks, disk."""

from pathlib import Path

import msgspec
import psutil

from drills.stacks.errors import StackError
from drills.stacks.stack import PARTS, Stack
from target.wait import Seen, eventually

# What a pool or a cache may hold more of than at another moment.
_FILES_SLACK = 12
_CONNECTIONS_SLACK = 4
# A rollback leaves a journal and the file that it set aside, on purpose.
_DISK_PER_ROLLBACK = 128 << 10


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """`processes` and `open_files` are those of all parts, `connections` the database's, `kept_bytes` the disk's."""

    processes: int
    open_files: int
    connections: int
    locks: int
    kept_bytes: int


def take(stack: Stack) -> Usage:
    """What it holds now. Raises StackError: a part does not run, or cannot be asked."""
    processes = [process for name in PARTS for process in _tree(stack, name)]
    with stack.database() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    layout = stack.layout
    return Usage(
        processes=len(processes),
        open_files=sum(_open_files(process) for process in processes),
        connections=int(row[0]) if row else 0,
        locks=int((layout.state / "lock").exists()),
        kept_bytes=sum(_size(folder) for folder in (layout.state, layout.service, layout.backups)),
    )


def leaked(before: Usage, after: Usage, rollbacks: int) -> list[str]:
    """What it holds on to that it did not before, in words."""
    grown = {
        "processes": (before.processes, after.processes, 0),
        "open files": (before.open_files, after.open_files, _FILES_SLACK),
        "connections": (before.connections, after.connections, _CONNECTIONS_SLACK),
        "locks": (before.locks, after.locks, 0),
        "bytes on disk": (before.kept_bytes, after.kept_bytes, rollbacks * _DISK_PER_ROLLBACK),
    }
    return [f"{what}: {was}, now {now}" for what, (was, now, slack) in grown.items() if now > was + slack]


def settled(stack: Stack, before: Usage, rollbacks: int, deadline_s: float) -> tuple[Usage, list[str]]:
    """What it holds once connections that ended are closed, and what it still leaks then. Raises StackError."""
    found = take(stack)

    def look() -> Seen:
        nonlocal found
        found = take(stack)
        return Seen(not leaked(before, found, rollbacks), "")

    eventually(look, deadline_s=deadline_s, interval_s=0.5)
    return found, leaked(before, found, rollbacks)


def _tree(stack: Stack, name: str) -> list[psutil.Process]:
    try:
        process = psutil.Process(stack.supervisor.state(name).pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        raise StackError(f"{name} does not run") from None


def _open_files(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:  # one of a pool that has just ended
        return 0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # git and the service may take a file away between listing and looking.
        try:
            total += path.lstat().st_size
        except FileNotFoundError:
            continue
    return total
