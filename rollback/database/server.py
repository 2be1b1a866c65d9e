"""The live database as the role that may restore it sees it, and what that role may not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from rollback.errors import Refused
from target.description import Database
from target.errors import DatabaseError
from target.postgres import Postgres
from target.wait import Seen, eventually

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

SCHEMA = "voice_rollback"
_LONGEST_S = 1200.0
_LOCK_S = 5.0
_GONE_S = 30.0

_FACTS = """
SELECT current_database(), current_user, current_setting('server_version_num')::int / 10000, r.rolsuper,
  r.rolcreatedb, r.rolcreaterole, has_database_privilege(current_database(), 'CREATE, TEMPORARY'),
  CASE WHEN r.rolsuper OR pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END,
  c.relkind::text, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'MEMBER'),
  (SELECT json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
  (SELECT json_agg(name) FROM (
     SELECT conname AS name FROM pg_constraint WHERE conrelid = c.oid
     UNION SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid
   ) AS names),
  (SELECT json_build_array(sn.nspname, s.relname) FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
    WHERE s.oid = to_regclass(CASE WHEN EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'id' AND NOT attisdropped)
      THEN pg_get_serial_sequence(c.oid::regclass::text, 'id') END)),
  (SELECT system_identifier::text FROM pg_control_system()),
  (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(%(revisions)s)),
  to_regnamespace(%(schema)s) IS NOT NULL
FROM pg_roles r LEFT JOIN pg_class c ON c.oid = to_regclass(%(table)s)
WHERE r.rolname = current_user
"""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What is there. `kind` is None where the table is missing; `columns` are (name, type), generated ones left out.

    `named` are its indexes and constraints, `sequence` (schema, name) that of its id, `version` the server's major one.
    """

    database: str
    user: str
    version: int
    superuser: bool
    may_create_databases: bool
    may_create_roles: bool
    may_create_here: bool
    data_directory: str | None
    kind: str | None
    owner: str | None
    may_be_owner: bool | None
    columns: tuple[tuple[str, str], ...]
    named: frozenset[str]
    sequence: tuple[str, str] | None
    system_identifier: str
    revisions_owner: str | None
    has_schema: bool


class Server:
    """Transactions with `database.admin_url`, a session for each.

    The sessions are named after the run, so that a later call can end those of an earlier one.
    """

    def __init__(self, database: Database, stamp: str) -> None:
        assert database.admin_url is not None
        self.settings = database
        self.application = f"voice-v2-rollback-{stamp}"
        self._url = database.admin_url
        self.admin = self.at(self._url)

    @property
    def table(self) -> tuple[str, str]:
        """Schema and name of the usage log."""
        schema, _, name = self.settings.table.rpartition(".")
        return schema or "public", name

    def at(self, url: str) -> Postgres:
        """A connection elsewhere in the cluster, of the same run."""
        return Postgres(url, _LONGEST_S, key="database.admin_url", application=self.application)

    def live(self) -> Live:
        """Raises DatabaseError: not reachable, or the role may not read what identifies the cluster."""
        from psycopg import sql

        table = sql.Identifier(*self.table)
        with self.reading() as connection:
            connection.execute("SET LOCAL search_path = pg_catalog")  # so that types are named in full
            names = {
                "table": table.as_string(connection),
                "schema": sql.Identifier(self.table[0]).as_string(connection),
                "revisions": sql.Identifier(self.table[0], "alembic_version").as_string(connection),
            }
            row = connection.execute(_FACTS, names).fetchone()
        if row is None:
            raise DatabaseError(f"{self.admin.where}: the role is not in pg_roles")
        columns = tuple((name, kind) for name, kind in row[11] or ())
        return Live(
            database=row[0],
            user=row[1],
            version=row[2],
            superuser=row[3],
            may_create_databases=row[4],
            may_create_roles=row[5],
            may_create_here=row[6],
            data_directory=row[7],
            kind=row[8],
            owner=row[9],
            may_be_owner=row[10],
            columns=columns,
            named=frozenset(row[12] or ()),
            sequence=tuple(row[13]) if row[13] else None,
            system_identifier=row[14],
            revisions_owner=row[15],
            has_schema=row[16],
        )

    @contextmanager
    def writing(self, role: str | None = None) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """A transaction of the administrating role, or of `role` in its place."""
        try:
            with self.admin.writing(lock_s=_LOCK_S) as connection:
                connection.execute("SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL work_mem = '64MB'")
                if role is not None:
                    become(connection, role)
                yield connection
        finally:
            self.admin.close()

    @contextmanager
    def reading(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """A read-only transaction of the administrating role."""
        try:
            with self.admin.reading() as connection:
                yield connection
        finally:
            self.admin.close()

    def outside(self, statement: "sql.Composed") -> None:
        """Carry out what may be in no transaction."""
        try:
            self.admin.outside(statement)
        finally:
            self.admin.close()

    def service_file(self, **changes: str) -> bytes:
        """A libpq service file for the programs on the host, which is how a password gets there."""
        from psycopg import conninfo

        parts = {**conninfo.conninfo_to_dict(self._url), **changes, "application_name": self.application}
        lines = [f"{name}={value}" for name, value in parts.items() if value is not None]
        if any("\n" in line for line in lines):
            raise Refused("`database.admin_url` holds a line break: correct it; nothing was changed")
        return "\n".join(["[rollback]", *lines, ""]).encode()

    def url(self, **changes: str) -> str:
        """The administrating URL with other user, password or database."""
        from psycopg import conninfo

        return conninfo.make_conninfo(self._url, **changes)

    def end_earlier(self) -> None:
        """End what an earlier call of this run left working on the server. Raises DatabaseError when it goes on."""

        def look() -> Seen:
            with self.writing() as connection:
                left = connection.execute(
                    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = %s AND pid <> pg_backend_pid()",
                    (self.application,),
                ).fetchall()
            return Seen(met=not left, seen=", ".join(str(row[0]) for row in left))

        waited = eventually(look, deadline_s=_GONE_S)
        if not waited.met:
            raise DatabaseError(
                f"{self.admin.where}: sessions of this run's earlier call do not end (process {waited.seen}); "
                "look at pg_stat_activity, then run this again"
            )

    def lacking(self, live: Live, owner: str) -> list[str]:
        """What has to be granted before it can work, as statements; empty when nothing lacks."""
        if live.superuser:
            return []
        user = _name(live.user)
        wants = [
            (live.may_create_databases, f"ALTER ROLE {user} CREATEDB"),
            (live.may_create_roles, f"ALTER ROLE {user} CREATEROLE"),
            (live.may_create_here, f"GRANT CREATE, TEMPORARY ON DATABASE {_name(live.database)} TO {user}"),
            (self._may_be(owner), f"GRANT {_name(owner)} TO {user}"),
        ]
        return [grant for there, grant in wants if not there]

    def role_exists(self, role: str) -> bool:
        """Whether the cluster has the role."""
        with self.reading() as connection:
            return (
                connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None
            )

    def _may_be(self, role: str) -> bool:
        with self.reading() as connection:
            row = connection.execute("SELECT pg_has_role(%s, 'MEMBER')", (role,)).fetchone()
        return row == (True,)


def become(connection: "psycopg.Connection[tuple[Any, ...]]", role: str) -> None:
    """Go on in this transaction with the rights of a role."""
    from psycopg import sql

    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if not name.isidentifier() or name != name.lower() else name
