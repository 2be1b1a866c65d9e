"""What a run restores: the plan in the journal, and the list of objects beside it on the host."""

import hashlib
from collections.abc import Sized

import msgspec

from rollback.action import Plan
from rollback.actions.objects.backups import KEPT
from rollback.errors import Refused
from rollback.site import Site
from target.errors import HostError
from target.object_writing import Versioning

_LARGEST_LIST = 1 << 30


class Before(msgspec.Struct, frozen=True):
    """The corrupt object that is overwritten."""

    size: int
    etag: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An object to restore: `source` is its name in the backup bucket, `size`, `etag` and `sha256` what is there.

    `before` is what is in its place (None: nothing); `versions` are the IDs of the versions that were kept by then.
    """

    key: str
    source: str
    size: int
    etag: str
    sha256: str | None
    before: Before | None
    versions: tuple[str, ...] = ()


class ObjectsPlan(Plan, frozen=True, kw_only=True):
    """`list` is the file with the entries, one JSON object a line; `digest` its SHA-256.

    `backups` are the names of the backups that the objects come from; `sets_aside` is how many are kept below
    `kept` in the backup bucket before they are overwritten; `only` is the backup that was asked for.
    """

    bucket: str
    backup_bucket: str
    backups: tuple[str, ...]
    only: str | None
    versioning: Versioning
    missing: int
    corrupt: int
    size: int
    sets_aside: int
    kept: str
    list: str
    digest: str

    @property
    def count(self) -> int:
        """How many objects it restores."""
        return self.missing + self.corrupt


def objects(these: int | Sized) -> str:
    """`1 object`, `10,000 objects`."""
    count = these if isinstance(these, int) else len(these)
    return "1 object" if count == 1 else f"{count:,} objects"


def kept_below(stamp: str) -> str:
    """Where a run keeps what it overwrites, in the backup bucket."""
    return f"{KEPT}{stamp}/"


def overwrites(entry: Entry, versioning: Versioning) -> bool:
    """Whether restoring it destroys what is in its place: not where the bucket keeps that as a version."""
    if entry.before is None or versioning == "Enabled":
        return False
    return versioning == "" or "null" in entry.versions


def encode(entries: tuple[Entry, ...]) -> bytes:
    """The entries as the file on the host holds them."""
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def digest(content: bytes) -> str:
    """What the plan says of the file."""
    return hashlib.sha256(content).hexdigest()


def read_entries(site: Site, plan: ObjectsPlan) -> tuple[Entry, ...]:
    """The entries of a run from the file on the host. Raises Refused when it is gone or was changed."""
    try:
        content = site.host.read(plan.list, limit=_LARGEST_LIST)
    except HostError as error:
        raise Refused(
            f"the list of objects of that run cannot be read: {error}; nothing was changed: put it back, or move "
            "the journal of that run away and begin a new one"
        ) from error
    if digest(content) != plan.digest:
        raise Refused(
            f"{plan.list} on {site.host.url} was changed by somebody: not the list of that run; nothing was changed"
        )
    decode = msgspec.json.Decoder(Entry).decode
    return tuple(decode(line) for line in content.split(b"\n") if line)
