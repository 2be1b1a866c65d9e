"""The usage log of a target in PostgreSQL, by psycopg."""

import msgspec

from target.description import Database


class Column(msgspec.Struct, frozen=True):
    """A column of the table: name, type as PostgreSQL names it, whether it may be null."""

    name: str
    type: str
    nullable: bool


class UsageRow(msgspec.Struct, frozen=True):
    """A row of the usage log, as far as reconciling needs it; `created` in seconds since the epoch."""

    id: int
    created: float
    request_id: str
    operation: str
    status: str
    audio_key: str | None
    audio_sha256: str | None
    audio_bytes: int | None
    mark: str | None


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The table as it is: days are ISO dates in UTC, `sequence_next` is what the id's sequence would give next.

    `system_identifier` tells one PostgreSQL cluster from another; None where it may not be read.
    """

    system_identifier: str | None
    revision: str | None
    columns: tuple[Column, ...]
    indexes: dict[str, str]
    rows_per_day: dict[str, int]
    duplicates: int
    max_id: int
    sequence_next: int | None


class UsageLog:
    """The table. Blocking (call from a thread); read-only transactions; failures are `DatabaseError` without a password."""

    def __init__(self, database: Database, *, timeout_s: float = 10.0) -> None:
        raise NotImplementedError

    def facts(self) -> TableFacts:
        """Everything in one repeatable-read transaction. Raises DatabaseError: unreachable, refused, table missing."""
        raise NotImplementedError

    def rows(self, *, after: float = 0.0, limit: int | None = None) -> list[UsageRow]:
        """Rows created at or after that time (seconds since the epoch), oldest first; the newest `limit` when given."""
        raise NotImplementedError

    def writable(self) -> bool:
        """Whether the server takes writes now (not in recovery, not read-only)."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection."""
        raise NotImplementedError
