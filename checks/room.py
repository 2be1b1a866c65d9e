"""How much room is left where the service and a rollback write."""

import msgspec

from target.description import Target
from target.errors import HostError
from target.host import Host

# For each path: it or the nearest folder above that is there; bytes that any user may write; files that may be made,
# as many as there may be at most (0 where the file system knows no such limit).
_LOOK = """
for path; do
    while [ ! -e "$path" ] && [ "$path" != / ] && [ "$path" != . ]; do path=$(dirname -- "$path"); done
    stat -f -c '%a %S %d %c' -- "$path" || exit 1
done
"""


class Room(msgspec.Struct, frozen=True):
    """What is left for a path: `free` in bytes, 0 where no further file can be made, for want of inodes."""

    path: str
    free: int
    inodes_gone: bool

    @property
    def text(self) -> str:
        """As evidence."""
        why = " (no inode is left)" if self.inodes_gone else ""
        return f"{self.path}: {self.free / 1e6:.0f} MB free{why}"


def written(target: Target) -> list[str]:
    """What is written on the host, `state_dir` with it; empty where the target names nothing there."""
    named = [
        target.environment.file if target.environment else "",
        target.code.checkout if target.code else "",
        target.virtualenv.path if target.virtualenv else "",
    ]
    there = [path for path in named if path]
    return [*there, target.state_dir] if there else []


def left(target: Target, host: Host) -> list[Room]:
    """The room at each place that is written. Raises HostError where it cannot be told."""
    paths = written(target)
    ran = host.shell(_LOOK, *paths)
    rows = [[int(word) for word in line.split()] for line in ran.stdout.splitlines()]
    if not ran.ok or len(rows) != len(paths):
        said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
        raise HostError(f"{host.url}: the room on its disks cannot be told: {said}")
    return [
        Room(path, 0 if (gone := files == 0 and most > 0) else blocks * size, gone)
        for path, (blocks, size, files, most) in zip(paths, rows, strict=True)
    ]
