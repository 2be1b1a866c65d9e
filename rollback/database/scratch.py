"""A scratch database: where a dump is restored to be looked at, by a role that can reach nothing else."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString

import msgspec

from rollback.database import reading
from rollback.database.dump import Content, File, Tools, arguments
from rollback.database.server import Server
from rollback.errors import Refused
from target.database import TableFacts, UsageLog
from target.description import Database
from target.errors import DatabaseError
from target.host import Host
from target.postgres import Postgres

PREFIX = "voice_rollback_"
_MARK = "scratch of voice-v2-rollback"
_LOAD_S = 1200.0
_LOCK_S = 10.0


class Scratch(msgspec.Struct, frozen=True):
    """A restored dump: its database, and the table's facts there."""

    database: Postgres
    facts: TableFacts


@contextmanager
def restored(
    server: Server, host: Host, file: File, content: Content, tools: Tools, stamp: str
) -> Iterator[Scratch]:
    """The dump, restored in a database of its own that is dropped at the end of the block.

    Raises Refused when it does not restore, DatabaseError.
    """
    name, password = f"{PREFIX}{stamp.lower()}_{secrets.token_hex(3)}", secrets.token_hex(16)
    sweep(server)
    # The host's programs and this process come in as this role; its password is known nowhere else.
    access = {"user": name, "password": password, "dbname": name}
    inside = server.at(server.url(**access))
    try:
        _make(server, name, password)
        _restore(server, inside, host, file, content, tools, access)
        schema, table = server.table
        log = UsageLog(Database(url=server.url(**access), table=f"{schema}.{table}"), timeout_s=_LOAD_S)
        try:
            facts = log.facts()
        finally:
            log.close()
        yield Scratch(inside, facts)
    finally:
        inside.close()
        with suppress(DatabaseError):  # the next run sweeps up
            _drop(server, name)


def sweep(server: Server) -> None:
    """Drop the scratch databases that killed runs left; one that is in use stays."""
    with server.reading() as connection:
        left = connection.execute(
            "SELECT r.rolname FROM pg_roles r LEFT JOIN pg_database d ON d.datname = r.rolname "
            "WHERE starts_with(r.rolname, %s) AND shobj_description(r.oid, 'pg_authid') = %s "
            "AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)",
            (PREFIX, _MARK),
        ).fetchall()
    for (name,) in left:
        with suppress(DatabaseError):
            _drop(server, name)


def load(
    host: Host,
    file: File,
    content: Content,
    tools: Tools,
    *,
    table: tuple[str, str],
    into: str,
    server: Server,
    access: dict[str, str] | None = None,
) -> None:
    """Copy the table's rows from the dump into the table `into` (quoted), in another database with `access`.

    Raises Refused: the file changed meanwhile, its rows are cut short, or the server takes them not.
    """
    columns = content.copy[content.copy.index(" (") : content.copy.rindex(")") + 1]
    copy = f"COPY {into}{columns} FROM STDIN"
    service = server.service_file(client_encoding=content.encoding, **(access or {}))
    words = (*arguments(file, tools, table), content.copy, tools.psql, copy, file.sha256)
    ran = host.shell(reading.LOAD, *words, timeout_s=_LOAD_S, stdin=service)
    if not ran.ok:
        said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
        raise Refused(f"{file.path} on {host.url} does not restore: {said}; nothing was changed")


def _make(server: Server, name: str, password: str) -> None:
    from psycopg import sql

    def run(statement: LiteralString) -> None:
        server.outside(
            sql.SQL(statement).format(name=sql.Identifier(name), password=password, mark=sql.Literal(_MARK))
        )

    run("CREATE ROLE {name} LOGIN NOINHERIT PASSWORD {password}")
    run("COMMENT ON ROLE {name} IS {mark}")
    run("GRANT {name} TO CURRENT_USER")
    run("CREATE DATABASE {name} OWNER {name} TEMPLATE template0 CONNECTION LIMIT 8")
    run("REVOKE ALL ON DATABASE {name} FROM PUBLIC")


def _drop(server: Server, name: str) -> None:
    from psycopg import sql

    identifier = sql.Identifier(name)
    server.outside(sql.SQL("DROP DATABASE IF EXISTS {}").format(identifier))
    server.outside(sql.SQL("DROP ROLE IF EXISTS {}").format(identifier))


def _restore(
    server: Server,
    inside: Postgres,
    host: Host,
    file: File,
    content: Content,
    tools: Tools,
    access: dict[str, str],
) -> None:
    from psycopg import sql

    schema, table = server.table
    into = sql.Identifier(schema, table)
    try:
        with inside.writing(lock_s=_LOCK_S) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            for statement in content.schema.of("table"):
                connection.execute(statement.sql.encode())
            quoted = into.as_string(connection)
        load(
            host,
            file,
            content,
            tools,
            table=server.table,
            into=quoted,
            server=server,
            access=access,
        )
        with inside.writing(lock_s=_LOCK_S) as connection:
            for statement in content.schema.of("constraint"):
                connection.execute(statement.sql.encode())
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(into)).fetchone()
    except DatabaseError as error:
        raise Refused(f"{file.path} on {host.url} does not restore: {error}; nothing was changed") from None
    if found != (content.rows,):
        raise Refused(
            f"{file.path} on {host.url} holds {content.rows} rows and restores {found[0] if found else 0}: it is "
            "damaged; nothing was changed"
        )
