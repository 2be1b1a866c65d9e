"""The merge: staged rows into the live table in one transaction that notes itself, and the way back."""

from typing import TYPE_CHECKING, Any, LiteralString

import msgspec

from rollback.database import queries
from rollback.database.server import SCHEMA, Server, become
from rollback.database.statements import Statement
from rollback.errors import StepFailed

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    Connection = psycopg.Connection[tuple[Any, ...]]

_RUNS: LiteralString = """
CREATE TABLE IF NOT EXISTS {schema}.runs (
  run text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
  inserted bigint NOT NULL DEFAULT 0, removed bigint NOT NULL DEFAULT 0,
  sequence_last bigint, sequence_called boolean)
"""


class Sequence(msgspec.Struct, frozen=True):
    """The sequence of the id: what it was, and the id that it has to be past."""

    schema: str
    name: str
    last: int
    called: bool
    past: int

    @property
    def behind(self) -> bool:
        """Whether it would give an id that is taken."""
        return self.last < self.past or (self.last == self.past and not self.called)


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge is to do. `types` are (name, type) of the columns that the dump has, in its order.

    `make` are the statements that make the table, empty where it is there; `create` the constraints and indexes that
    it lacks.
    """

    run: str
    table: tuple[str, str]
    owner: str
    types: tuple[tuple[str, str], ...]
    make: tuple[Statement, ...]
    create: tuple[Statement, ...]
    grants: tuple[Statement, ...]
    doubled: bool
    sequence: Sequence | None


class Done(msgspec.Struct, frozen=True):
    """What the note of a merge says."""

    inserted: int
    removed: int
    sequence_last: int | None
    sequence_called: bool | None


class Merge:
    """One run's merge. Every method may be called again after a crash."""

    def __init__(self, server: Server, work: Work) -> None:
        self.server = server
        self.work = work

    def side(self, what: str) -> "sql.Identifier":
        """The name of a table of this run in the suite's own schema."""
        from psycopg import sql

        return sql.Identifier(SCHEMA, f"{what}_{self.work.run.lower()}")

    def prepare(self) -> str:
        """Make the empty table that takes the dump's rows; its name, quoted."""
        from psycopg import sql

        with self.server.writing() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
            connection.execute(sql.SQL(_RUNS).format(schema=sql.Identifier(SCHEMA)))
            columns = sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(name), known_type(kind))
                for name, kind in self.work.types
            )
            staged = self.side("staged")
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(staged))
            # An autovacuum of it would wait for the merge, and the merge, which drops it, for that: a deadlock.
            connection.execute(
                sql.SQL("CREATE UNLOGGED TABLE {} ({}) WITH (autovacuum_enabled = false)").format(
                    staged, columns
                )
            )
            owner = sql.Identifier(self.work.owner)
            connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(staged, owner))
            return staged.as_string(connection)

    def seal(self, sha256: str) -> int:
        """Note on the staged rows that they are whole; how many they are."""
        from psycopg import sql

        staged = self.side("staged")
        with self.server.writing() as connection:
            connection.execute(sql.SQL("ANALYZE {}").format(staged))
            rows = self._count_staged(connection)
            note = sql.Literal(f"{sha256} {rows}")
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(staged, note))
        return rows

    def staged(self) -> str | None:
        """The hash that `seal` was given, None where its rows are not there, or no longer."""
        with self.server.reading() as connection:
            return self._sealed(connection)

    def done(self) -> Done | None:
        """The note that the merge left in its own transaction, None where it is not in effect."""
        with self.server.reading() as connection:
            return self._note(connection)

    def carry_out(self) -> Done:
        """Merge, unless it is done. Raises DatabaseError, StepFailed: nothing of it is in effect then."""
        noted = self.done()
        if noted is not None:
            return noted
        from psycopg import sql

        self._advance()
        with self.server.writing() as connection:
            if self._sealed(connection) is None:
                raise StepFailed("the staged rows are gone: has the server crashed meanwhile? Run this again")
            connection.execute(
                sql.SQL("INSERT INTO {}.runs (run) VALUES ({})").format(
                    sql.Identifier(SCHEMA), sql.Literal(self.work.run)
                )
            )
            self._make_sides(connection)
            become(connection, self.work.owner)
            for statement in self.work.make:
                connection.execute(statement.sql.encode())
            removed = self._run(connection, queries.REMOVE) if self.work.doubled else 0
            inserted = self._run(connection, queries.INSERT)
            for statement in (*self.work.create, *self.work.grants):
                connection.execute(statement.sql.encode())
            self._refuse_missing(connection)
            last, called = self._settle_sequence(connection)
            connection.execute("SET LOCAL ROLE NONE")
            connection.execute(
                sql.SQL(
                    "UPDATE {}.runs SET inserted = %s, removed = %s, sequence_last = %s, sequence_called = %s "
                    "WHERE run = %s"
                ).format(sql.Identifier(SCHEMA)),
                (inserted, removed, last, called, self.work.run),
            )
            connection.execute(sql.SQL("DROP TABLE {}").format(self.side("staged")))
        return Done(inserted, removed, last, called)

    def take_back(self) -> str:
        """Bring back the state before, if the merge is in effect; what was done, in words."""
        from psycopg import sql

        said = "nothing had been merged"
        with self.server.writing() as connection:
            noted = self._note(connection)
            if noted is not None and self.work.make:
                said = self._move_aside(connection)
            elif noted is not None:
                become(connection, self.work.owner)
                self._uncreate(connection)
                gone = self._run(connection, queries.TAKE_OUT)
                self._run(connection, queries.PUT_BACK)
                connection.execute("SET LOCAL ROLE NONE")
                said = f"{gone} rows taken out again" + (
                    f", {noted.removed} put back" if noted.removed else ""
                )
            if noted is not None:
                connection.execute(
                    sql.SQL("DELETE FROM {}.runs WHERE run = %s").format(sql.Identifier(SCHEMA)),
                    (self.work.run,),
                )
                for what in ("inserted", "removed"):
                    connection.execute(sql.SQL("DROP TABLE {}").format(self.side(what)))
            said += self._reset_sequence(connection, noted)
        return said

    def clear(self) -> None:
        """Drop the staged rows, and the suite's schema where nothing is left in it."""
        from psycopg import sql

        with self.server.writing() as connection:
            schema = sql.Identifier(SCHEMA)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.side("staged")))
            found = connection.execute(
                "SELECT array_agg(relname::text) FROM pg_class WHERE relnamespace = to_regnamespace(%s) "
                "AND relkind IN ('r', 'S')",
                (SCHEMA,),
            ).fetchone()
            names = found[0] if found else None
            if names == ["runs"]:
                row = connection.execute(sql.SQL("SELECT count(*) FROM {}.runs").format(schema)).fetchone()
                if row == (0,):
                    connection.execute(sql.SQL("DROP TABLE {}.runs").format(schema))
                    connection.execute(sql.SQL("DROP SCHEMA {}").format(schema))

    def rehearse(self) -> None:
        """Make the table in a transaction that is rolled back. Raises DatabaseError when it cannot be made."""
        with self.server.writing(self.work.owner) as connection:
            for statement in (*self.work.make, *self.work.create, *self.work.grants):
                connection.execute(statement.sql.encode())
            connection.execute("ROLLBACK")

    def _note(self, connection: "Connection") -> Done | None:
        from psycopg import sql

        there = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.runs",)).fetchone()
        if there is None or there[0] is None:
            return None
        row = connection.execute(
            sql.SQL(
                "SELECT inserted, removed, sequence_last, sequence_called FROM {}.runs WHERE run = %s"
            ).format(sql.Identifier(SCHEMA)),
            (self.work.run,),
        ).fetchone()
        return None if row is None else Done(*row)

    def _sealed(self, connection: "Connection") -> str | None:
        name = self.side("staged").as_string(connection)
        row = connection.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", (name,)).fetchone()
        sha256, _, rows = (row[0] if row and row[0] else "").partition(" ")
        # A server that recovers from a crash has emptied the table, and kept the note.
        return sha256 if sha256 and rows == str(self._count_staged(connection)) else None

    def _count_staged(self, connection: "Connection") -> int:
        from psycopg import sql

        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self.side("staged"))).fetchone()
        return int(row[0]) if row else 0

    def _make_sides(self, connection: "Connection") -> None:
        from psycopg import sql

        inserted, removed, staged = self.side("inserted"), self.side("removed"), self.side("staged")
        connection.execute(sql.SQL("CREATE TABLE {} (id bigint, request_id text)").format(inserted))
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(removed, staged))
        owner = sql.Identifier(self.work.owner)
        for statement, what in (
            ("GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(SCHEMA)),
            ("GRANT SELECT, INSERT ON {} TO {}", inserted),
            ("GRANT SELECT, INSERT ON {} TO {}", removed),
        ):
            connection.execute(sql.SQL(statement).format(what, owner))

    def _run(self, connection: "Connection", query: LiteralString) -> int:
        return connection.execute(self.fill(query)).rowcount

    def fill(self, query: LiteralString, **tables: "sql.Composable") -> "sql.Composed":
        """A query of `queries` for this table; `tables` take the place of the side tables."""
        from psycopg import sql

        names = [name for name, _ in self.work.types]
        comma = sql.SQL(", ")
        given: dict[str, sql.Composable] = {
            "live": sql.Identifier(*self.work.table),
            "columns": comma.join(map(sql.Identifier, names)),
            "own": comma.join(sql.Identifier("t", name) for name in names),
            "others": comma.join(sql.Identifier("t", name) for name in names if name != "id"),
            "values": comma.join(self._value(name) for name in names),
            **{what: self.side(what) for what in ("staged", "inserted", "removed")},
            **tables,
        }
        if "{proof}" in query and "proof" not in tables:
            given["proof"] = sql.SQL(queries.PROOF).format(**given)
        return sql.SQL(query).format(**given)

    def _value(self, name: str) -> "sql.Composable":
        from psycopg import sql

        if name != "id" or self.work.sequence is None:
            return sql.Identifier(name)
        sequence = sql.Identifier(self.work.sequence.schema, self.work.sequence.name)
        return sql.SQL("CASE WHEN taken THEN nextval({}::regclass) ELSE id END").format(
            sql.Literal(sequence.as_string())
        )

    def _refuse_missing(self, connection: "Connection") -> None:
        row = connection.execute(self.fill(queries.STILL_MISSING)).fetchone()
        if row != (0,):
            raise StepFailed(
                f"{row[0] if row else 'some'} rows were not taken by the table (a trigger or rule of its own?): "
                "the transaction was rolled back"
            )

    def _advance(self) -> None:
        """Put the sequence past every id, before ids are taken from it. It is never put back by this."""
        sequence = self.work.sequence
        if sequence is None or self.work.make or not sequence.behind:
            return
        with self.server.writing(self.work.owner) as connection:
            self._lock(connection)
            last, called = self._sequence_now(connection, sequence)
            if Sequence(sequence.schema, sequence.name, last, called, sequence.past).behind:
                self._set(connection, sequence, sequence.past, called=True)

    def _settle_sequence(self, connection: "Connection") -> tuple[int | None, bool | None]:
        sequence = self.work.sequence
        if sequence is None:
            return None, None
        if self.work.make:
            self._set(connection, sequence, max(sequence.past, 1), called=sequence.past > 0)
        return self._sequence_now(connection, sequence)

    def _reset_sequence(self, connection: "Connection", noted: Done | None) -> str:
        """Put the sequence back where it was, unless an id was taken from it since."""
        sequence = self.work.sequence
        if sequence is None or self.work.make or not self._exists(connection):
            return ""
        become(connection, self.work.owner)
        if self._sequence_now(connection, sequence) == (sequence.last, sequence.called):
            return ""
        self._lock(connection)
        now = self._sequence_now(connection, sequence)
        left_at = (sequence.past, True) if noted is None else (noted.sequence_last, noted.sequence_called)
        if now != left_at:
            return "; the id's sequence stays where it is: ids were taken from it since"
        self._set(connection, sequence, sequence.last, called=sequence.called)
        return "; the id's sequence is where it was"

    def _exists(self, connection: "Connection") -> bool:
        from psycopg import sql

        name = sql.Identifier(*self.work.table).as_string(connection)
        return connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,)

    def _lock(self, connection: "Connection") -> None:
        from psycopg import sql

        table = sql.Identifier(*self.work.table)
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))

    @staticmethod
    def _sequence_now(connection: "Connection", sequence: Sequence) -> tuple[int, bool]:
        from psycopg import sql

        name = sql.Identifier(sequence.schema, sequence.name)
        row = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(name)).fetchone()
        return (int(row[0]), bool(row[1])) if row else (0, False)

    @staticmethod
    def _set(connection: "Connection", sequence: Sequence, value: int, *, called: bool) -> None:
        from psycopg import sql

        name = sql.Identifier(sequence.schema, sequence.name).as_string(connection)
        connection.execute("SELECT setval(%s::regclass, %s, %s)", (name, value, called))

    def _uncreate(self, connection: "Connection") -> None:
        from psycopg import sql

        schema, table = self.work.table
        for statement in reversed(self.work.create):
            if statement.index:
                name = sql.Identifier(schema, statement.makes)
                connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(name))
            else:
                connection.execute(
                    sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(
                        sql.Identifier(schema, table), sql.Identifier(statement.makes)
                    )
                )

    def _move_aside(self, connection: "Connection") -> str:
        """A table that the merge made, and that may hold newer rows by now, goes to the suite's schema as it is."""
        from psycopg import sql

        kept = f"{self.work.table[1][:30]}_undone_{self.work.run.lower()}"
        schema = sql.Identifier(SCHEMA)
        table = sql.Identifier(*self.work.table)
        name = sql.Identifier(self.work.table[1])
        connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(table, schema))
        connection.execute(
            sql.SQL("ALTER TABLE {}.{} RENAME TO {}").format(schema, name, sql.Identifier(kept))
        )
        return f"the table is missing again; what it held is kept as {SCHEMA}.{kept}"


def known_type(kind: str) -> "sql.SQL":
    """A type as `format_type` wrote it, which quotes what needs it."""
    from psycopg import sql

    return sql.SQL(kind)
