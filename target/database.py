"""The usage log of a target in PostgreSQL, by psycopg."""

from typing import TYPE_CHECKING, Any, LiteralString

import msgspec

from target.description import Database
from target.errors import DatabaseError, TableMissing
from target.postgres import Postgres

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

_USED = ("id", "created_at", "request_id", "operation", "status", "audio_key", "audio_sha256", "audio_bytes")

# A function that may not be called may not even be named in a query: what may be asked is asked first.
_CATALOGUE: LiteralString = """
SELECT
  has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'),
  (SELECT json_build_array(rn.nspname, r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
    WHERE r.oid = coalesce(to_regclass(quote_ident(n.nspname) || '.alembic_version'), to_regclass('alembic_version'))),
  (SELECT json_agg(json_build_array(attname, format_type(atttypid, atttypmod), NOT attnotnull) ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
  (SELECT json_object_agg(indexname, indexdef) FROM pg_indexes
    WHERE schemaname = n.nspname AND tablename = c.relname),
  (SELECT json_build_array(sn.nspname, r.relname, s.seqincrement)
     FROM pg_sequence s JOIN pg_class r ON r.oid = s.seqrelid JOIN pg_namespace sn ON sn.oid = r.relnamespace
    WHERE has_sequence_privilege(r.oid, 'SELECT') AND r.oid = to_regclass(CASE WHEN EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'id' AND NOT attisdropped)
      THEN pg_get_serial_sequence(c.oid::regclass::text, 'id') END))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""

_SYSTEM: LiteralString = "(SELECT system_identifier::text FROM pg_control_system())"
_REVISION: LiteralString = "(SELECT string_agg(version_num, ',' ORDER BY version_num) FROM {revisions})"
_DAYS: LiteralString = """(SELECT json_object_agg(day, rows) FROM (
    SELECT to_char(created_at, 'YYYY-MM-DD') AS day, count(*) AS rows FROM {table}
    WHERE created_at IS NOT NULL GROUP BY 1 ORDER BY 1) AS days)"""
_DUPLICATES: LiteralString = """(SELECT coalesce(sum(rows - 1), 0)::bigint FROM (
    SELECT count(*) AS rows FROM {table}
    WHERE request_id IS NOT NULL GROUP BY request_id HAVING count(*) > 1) AS repeated)"""
_MAX_ID: LiteralString = "(SELECT coalesce(max(id), 0) FROM {table})"
_NEXT: LiteralString = (
    "(SELECT CASE WHEN is_called THEN last_value + {increment} ELSE last_value END FROM {sequence})"
)
_ROWS: LiteralString = """
SELECT {columns} FROM (
  SELECT * FROM {table} WHERE created_at >= to_timestamp(%s) ORDER BY created_at DESC, id DESC LIMIT %s
) AS newest ORDER BY created_at, id
"""


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the table: name, type as PostgreSQL names it, whether it may be null."""

    name: str
    type: str
    nullable: bool


class UsageRow(msgspec.Struct, frozen=True):
    """A row of the usage log, as far as reconciling needs it; `created` in seconds since the epoch.

    Where the table has no `request_id`, `operation` or `status`, they are empty; what else it lacks is None.
    """

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


class _Catalogue(msgspec.Struct, frozen=True):
    """What the system catalogue says; `revisions` is (schema, name), `sequence` (schema, name, increment)."""

    may_identify: bool
    revisions: tuple[str, str] | None
    columns: tuple[Column, ...]
    indexes: dict[str, str]
    sequence: tuple[str, str, int] | None

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)


class UsageLog:
    """The table. Blocking (call from a thread); read-only transactions; failures are `DatabaseError`."""

    def __init__(self, database: Database, *, timeout_s: float = 10.0) -> None:
        self._database = database
        self._server = Postgres(database.url, timeout_s)

    def facts(self) -> TableFacts:
        """Everything in one repeatable-read transaction. Raises DatabaseError: unreachable, refused, table missing.

        A part that the table lacks the column for is empty or 0; `missing_columns` tells which those are.
        """
        from psycopg import sql

        with self._server.reading() as connection:
            found = self._catalogue(connection)
            parts = (
                _SYSTEM if found.may_identify else "NULL",
                _REVISION if found.revisions else "NULL",
                _DAYS if found.has("created_at") else "NULL",
                _DUPLICATES if found.has("request_id") else "0",
                _MAX_ID if found.has("id") else "0",
                _NEXT if found.sequence else "NULL",
            )
            schema, name, increment = found.sequence or ("", "", 0)
            query = sql.SQL("SELECT " + ", ".join(parts)).format(
                table=self._table(),
                revisions=sql.Identifier(*(found.revisions or ("",))),
                sequence=sql.Identifier(schema, name),
                increment=increment,
            )
            system, revision, days, duplicates, max_id, sequence_next = (
                connection.execute(query).fetchone() or ()
            )
        return TableFacts(
            system_identifier=system,
            revision=revision,
            columns=found.columns,
            indexes=found.indexes,
            rows_per_day=days or {},
            duplicates=duplicates,
            max_id=max_id,
            sequence_next=sequence_next,
        )

    def rows(self, *, after: float = 0.0, limit: int | None = None) -> list[UsageRow]:
        """Rows created at or after that time (seconds since the epoch), oldest first; the newest `limit` when given.

        Raises DatabaseError also when the table has no `id` or no `created_at`.
        """
        from psycopg import sql

        with self._server.reading() as connection:
            found = self._catalogue(connection)
            lacking = [name for name in ("id", "created_at") if not found.has(name)]
            if lacking:
                raise DatabaseError(
                    f"{self._server.where}: the table {self._database.table} has no column "
                    f"{' and no '.join(lacking)}, without which its rows cannot be told apart: is it the usage log?"
                )
            query = sql.SQL(_ROWS).format(table=self._table(), columns=self._row_columns(found))
            fetched = connection.execute(query, (after, limit)).fetchall()
        return [UsageRow(*row) for row in fetched]

    def writable(self) -> bool:
        """Whether the server takes writes now (not in recovery, not read-only)."""
        with self._server.reading() as connection:
            row = connection.execute(
                "SELECT NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::boolean"
            ).fetchone()
        return row == (True,)

    def revision(self) -> str | None:
        """The schema's revision alone, also where the table is missing; None where there are no migrations."""
        from psycopg import sql

        schema = self._table().as_string().rpartition(".")[0] or "public"
        with self._server.reading() as connection:
            row = connection.execute(
                "SELECT n.nspname, r.relname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace "
                "WHERE r.oid = coalesce(to_regclass(%s), to_regclass('alembic_version'))",
                (f"{schema}.alembic_version",),
            ).fetchone()
            if row is None:
                return None
            query = sql.SQL("SELECT " + _REVISION).format(revisions=sql.Identifier(*row))
            found = connection.execute(query).fetchone()
        return found[0] if found else None

    def whereabouts(self) -> tuple[str, str | None]:
        """The database's name and its cluster's system identifier, None where that may not be read."""
        with self._server.reading() as connection:
            row = connection.execute(
                "SELECT current_database(), has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
            ).fetchone()
            assert row is not None
            found = connection.execute("SELECT " + _SYSTEM).fetchone() if row[1] else None
        return row[0], found[0] if found else None

    def missing_columns(self) -> tuple[str, ...]:
        """The columns that reconciling uses and that this table does not have. Raises DatabaseError."""
        with self._server.reading() as connection:
            found = self._catalogue(connection)
        used = (*_USED, *filter(None, [self._database.mark_column]))
        return tuple(name for name in used if not found.has(name))

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _table(self) -> "sql.Identifier":
        from psycopg import sql

        return sql.Identifier(*self._database.table.split("."))

    def _row_columns(self, found: _Catalogue) -> "sql.Composed":
        from psycopg import sql

        def text(name: str | None, lacking: LiteralString = "NULL") -> sql.Composable:
            if name is None or not found.has(name):
                return sql.SQL(lacking)
            return sql.SQL("coalesce({}::text, {})").format(sql.Identifier(name), sql.SQL(lacking))

        return sql.SQL(", ").join(
            (
                sql.SQL("id, extract(epoch FROM created_at)::float8"),
                *(text(name, "''") for name in ("request_id", "operation", "status")),
                *(text(name) for name in ("audio_key", "audio_sha256")),
                sql.SQL("audio_bytes::bigint" if found.has("audio_bytes") else "NULL"),
                text(self._database.mark_column),
            )
        )

    def _catalogue(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> _Catalogue:
        row = connection.execute(_CATALOGUE, (self._table().as_string(connection),)).fetchone()
        if row is None:
            raise TableMissing(
                f"{self._server.where} has no table {self._database.table}: "
                "correct `database.table`, or restore the table"
            )
        may_identify, revisions, columns, indexes, sequence = row
        return _Catalogue(
            may_identify,
            tuple(revisions) if revisions else None,
            tuple(Column(*column) for column in columns or ()),
            indexes or {},
            tuple(sequence) if sequence else None,
        )
