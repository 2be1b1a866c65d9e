"""The list of snapshots on a host, `state_dir/snapshots/<stamp>.json`: what was taken, when, of which release."""

from collections.abc import Iterable

import msgspec

from rollback import clock
from rollback.errors import Refused
from target.host import Host
from target.redact import Redactor

FORMAT = 1
_ENDING = ".json"
_READ = r"""
[ -d "$1" ] || exit 0
cd -- "$1" || exit 1
for file in *.json; do
  [ -e "$file" ] || continue
  printf '\036%s\036' "$file"
  cat -- "$file" || exit 1
done
"""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was taken and verified. `where` and `hash` are empty where the part has no such thing."""

    name: str
    says: str
    where: str = ""
    hash: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot; `record`, `version` and `revision` are of the release that ran. `stamp` is its time, in UTC."""

    format: int = FORMAT
    stamp: str
    target: str
    host: str
    by: str
    record: str
    version: str | None
    revision: str | None
    parts: tuple[Taken, ...]


class Snapshots:
    """The snapshots of a host, in `state_dir/snapshots/`."""

    def __init__(self, host: Host, state_dir: str, redactor: Redactor) -> None:
        self._host = host
        self._redactor = redactor
        self.folder = f"{state_dir}/snapshots"

    def path(self, stamp: str) -> str:
        """The file of a snapshot."""
        return f"{self.folder}/{stamp}{_ENDING}"

    def all(self) -> list[Snapshot]:
        """Every snapshot, newest first. Raises Refused naming the file that cannot be understood."""
        ran = self._host.shell(_READ, self.folder)
        if not ran.ok:
            raise Refused(f"{self.folder} on {self._host.url} cannot be read: {ran.stderr.strip()}")
        fields = ran.stdout.split("\x1e")[1:]
        found = [self._decode(*pair) for pair in zip(fields[::2], fields[1::2], strict=True)]
        return sorted(found, key=lambda snapshot: snapshot.stamp, reverse=True)

    def free_stamp(self, now: float) -> str:
        """A stamp that sorts after all that there are, also when the host's clock was put back."""
        newest = [clock.of_stamp(snapshot.stamp) + 1 for snapshot in self.all()[:1]]
        return clock.stamp(max([now, *newest]))

    def save(self, snapshot: Snapshot) -> None:
        """Write it, atomically."""
        data = self._redactor.data(msgspec.to_builtins(snapshot))
        self._host.make_folder(self.folder)
        content = msgspec.json.format(msgspec.json.encode(data)) + b"\n"
        self._host.write_atomically(self.path(snapshot.stamp), content)

    def forget(self, parts: Iterable[str], keep: int) -> None:
        """Strike what was pruned: each of these parts from all but the newest `keep` snapshots that have it."""
        everything = self.all()
        struck: dict[str, set[str]] = {}
        for part in parts:
            having = [each for each in everything if any(taken.name == part for taken in each.parts)]
            for snapshot in having[keep:]:
                struck.setdefault(snapshot.stamp, set()).add(part)
        for snapshot in everything:
            gone = struck.get(snapshot.stamp, set())
            left = tuple(taken for taken in snapshot.parts if taken.name not in gone)
            if not left:
                self._host.remove(self.path(snapshot.stamp))
            elif gone:
                self.save(msgspec.structs.replace(snapshot, parts=left))

    def _decode(self, name: str, content: str) -> Snapshot:
        try:
            return msgspec.json.decode(content, type=Snapshot)
        except msgspec.DecodeError as error:
            raise Refused(
                f"{self.folder}/{name} on {self._host.url} cannot be understood ({error}); move it away"
            ) from error
