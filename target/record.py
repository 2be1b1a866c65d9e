"""The record: the known-good facts of one released version, kept in the target's `state_dir` on the host."""

from typing import Literal

import msgspec

from target.database import Column
from target.host import Host
from target.objects import ObjectFacts

FORMAT = 1


class EnvironmentRecord(msgspec.Struct, frozen=True):
    """`file_hmac` is keyed by the host's own secret key; `values` maps each variable to its keyed hash, never its value."""

    file_hmac: str
    values: dict[str, str]


class CodeRecord(msgspec.Struct, frozen=True):
    """The package folder: one hash over (path, mode, content) of every file, caches left out; `files` maps path to SHA-256."""

    tree_sha256: str
    files: dict[str, str]
    revision: str | None


class ObjectRecord(msgspec.Struct, frozen=True):
    """An object of the manifest; `sha256` None where the store's ETag had to do."""

    key: str
    size: int
    etag: str
    sha256: str | None


class DatabaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Table facts; `rows_per_day` only holds days that were over when the record was taken (UTC)."""

    system_identifier: str | None
    revision: str | None
    columns: tuple[Column, ...]
    indexes: dict[str, str]
    rows_per_day: dict[str, int]


class LatencyRecord(msgspec.Struct, frozen=True):
    """Raw samples in seconds, the performance baseline."""

    tts: tuple[float, ...] = ()
    stt: tuple[float, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Known-good facts. A part is None where the target does not offer it. Times are ISO 8601 in UTC."""

    format: int = FORMAT
    name: str
    version: str | None
    revision: str | None
    taken_at: str
    taken_by: str
    state: Literal["healthy", "bad"]
    why_bad: str | None = None
    image_digest: str | None = None
    environment: EnvironmentRecord | None = None
    providers: dict[str, dict[str, int | None]] | None = None
    packages: dict[str, str] | None = None
    python: str | None = None
    code: CodeRecord | None = None
    database: DatabaseRecord | None = None
    objects: tuple[ObjectRecord, ...] | None = None
    latency: LatencyRecord = LatencyRecord()


class Records:
    """The records in `state_dir/records/` of a host, written atomically, one JSON file a record."""

    def __init__(self, host: Host, state_dir: str) -> None:
        raise NotImplementedError

    def all(self) -> list[Record]:
        """Every record, newest first. Raises RecordError naming the file that cannot be read."""
        raise NotImplementedError

    def get(self, name: str) -> Record:
        """One record by name or by version (the newest of it). Raises RecordError listing what there is."""
        raise NotImplementedError

    def newest_healthy(self) -> Record | None:
        """The newest record that is not marked bad."""
        raise NotImplementedError

    def expected(self) -> Record | None:
        """The record of what should be running now: the one last recorded or rolled back to, else the newest healthy."""
        raise NotImplementedError

    def expect(self, name: str) -> None:
        """Note that this record is what should be running from now on."""
        raise NotImplementedError

    def save(self, record: Record) -> None:
        """Write a new record; an existing one of that name is never overwritten (RecordError)."""
        raise NotImplementedError

    def mark_bad(self, name: str, why: str) -> Record:
        """Mark one bad, with the reason."""
        raise NotImplementedError

    def keyed_hash(self, value: bytes) -> str:
        """HMAC-SHA256 (hex) under the host's key `state_dir/hash.key`, which is made (0600) on first use."""
        raise NotImplementedError


def listing(facts: list[ObjectFacts]) -> tuple[ObjectRecord, ...]:
    """A manifest without content hashes, from a listing."""
    return tuple(ObjectRecord(item.key, item.size, item.etag, None) for item in facts)
