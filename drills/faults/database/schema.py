"""Faults of the database's schema: a table, a column or an index that is missing, a revision of another release."""

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.layout import write_private
from drills.stacks.stack import Stack

_TABLE = "voice_usage_logs"


class TableMissing(Fault, frozen=True):
    """The table is not there, with its indexes and its sequence."""

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS lost")
            connection.execute("ALTER TABLE voice_usage_logs SET SCHEMA lost")

    def landed(self, at: Place) -> str:
        if exists(at.stack, "public.voice_usage_logs"):
            raise FaultError(f"{self.name}: the table is there")
        return "voice_usage_logs is missing"

    def heal(self, at: Place) -> None:
        cured = exists(at.stack, "public.voice_usage_logs")
        with at.stack.database() as connection:
            if not cured and exists(at.stack, "lost.voice_usage_logs"):
                connection.execute("ALTER TABLE lost.voice_usage_logs SET SCHEMA public")
            connection.execute("DROP SCHEMA IF EXISTS lost CASCADE")


class ColumnMissing(Fault, frozen=True):
    """The table's last column is gone, with what was in it."""

    column: str

    def prepare(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS lost")
            connection.execute("DROP TABLE IF EXISTS lost.contents")
            connection.execute(
                f"CREATE TABLE lost.contents AS SELECT id, {self.column} AS content FROM {_TABLE}".encode()  # noqa: S608  (constants)
            )

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(f"ALTER TABLE {_TABLE} DROP COLUMN {self.column}".encode())

    def landed(self, at: Place) -> str:
        if self.column in columns(at.stack):
            raise FaultError(f"{self.name}: the column {self.column} is there")
        return f"{_TABLE} has no column {self.column}"

    def heal(self, at: Place) -> None:
        there = self.column in columns(at.stack)
        with at.stack.database() as connection:
            if not there:
                connection.execute(f"ALTER TABLE {_TABLE} ADD COLUMN {self.column} text".encode())
                connection.execute(
                    f"UPDATE {_TABLE} a SET {self.column} = b.content FROM lost.contents b WHERE a.id = b.id".encode()  # noqa: S608  (constants)
                )
            connection.execute("DROP SCHEMA IF EXISTS lost CASCADE")


class IndexMissing(Fault, frozen=True):
    """An index of the table is gone."""

    index: str

    def prepare(self, at: Place) -> None:
        with at.stack.database() as connection:
            row = connection.execute("SELECT pg_get_indexdef(to_regclass(%s))", (self.index,)).fetchone()
        if row is None or row[0] is None:
            raise FaultError(f"{self.name}: there is no index {self.index}")
        write_private(at.saved / "index.sql", str(row[0]))

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(f"DROP INDEX {self.index}".encode())

    def landed(self, at: Place) -> str:
        if exists(at.stack, self.index):
            raise FaultError(f"{self.name}: the index {self.index} is there")
        return f"{_TABLE} has no index {self.index}"

    def heal(self, at: Place) -> None:
        if not exists(at.stack, self.index):
            with at.stack.database() as connection:
                connection.execute((at.saved / "index.sql").read_bytes())


class OtherRevision(Fault, frozen=True):
    """The schema was migrated to another revision than the code's: `migrate` and `back` are what Alembic would run."""

    revision: str
    migrate: str
    back: str

    def prepare(self, at: Place) -> None:
        write_private(at.saved / "revision", revision(at.stack))

    def inject(self, at: Place) -> None:
        self._move(at.stack, self.migrate, self.revision)

    def landed(self, at: Place) -> str:
        was, now = (at.saved / "revision").read_text(), revision(at.stack)
        if now == was:
            raise FaultError(f"{self.name}: the database is at revision {now}")
        return f"the database is at revision {now}, the code's is {was}"

    def heal(self, at: Place) -> None:
        was = (at.saved / "revision").read_text()
        if revision(at.stack) != was:
            self._move(at.stack, self.back, was)

    @staticmethod
    def _move(stack: Stack, statement: str, to: str) -> None:
        with stack.database() as connection:
            connection.execute(statement.encode())
            connection.execute("UPDATE alembic_version SET version_num = %s", (to,))


def columns(stack: Stack) -> list[str]:
    """The columns of the usage log, in order."""
    with stack.database() as connection:
        rows = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum",
            (_TABLE,),
        ).fetchall()
    return [str(row[0]) for row in rows]


def exists(stack: Stack, name: str) -> bool:
    """Whether there is a table or an index of that name."""
    with stack.database() as connection:
        row = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
    return bool(row and row[0])


def revision(stack: Stack) -> str:
    """The schema's revision. Raises FaultError: it was never migrated."""
    with stack.database() as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise FaultError("the table alembic_version is empty")
    return str(row[0])


FAULTS: tuple[Fault, ...] = (
    TableMissing(
        name="table-missing",
        says="the table voice_usage_logs is missing",
        part="database",
        must=("components_healthy", "tts_success_rate", "stt_success_rate", "table_matches_record"),
        shows=("components_healthy",),
        scenario=1,
        cure="database",
    ),
    ColumnMissing(
        name="column-missing",
        says="the column client of voice_usage_logs is missing",
        part="database",
        must=("table_matches_record", "tts_success_rate", "stt_success_rate"),
        scenario=1,
        column="client",
    ),
    IndexMissing(
        name="index-missing",
        says="the index on created_at is missing",
        part="database",
        must=("table_matches_record",),
        cure="database",
        index="ix_voice_usage_logs_created_at",
    ),
    OtherRevision(
        name="revision-ahead",
        says="a newer release has migrated the database; the code that runs does not know that revision",
        part="database",
        must=("table_matches_record",),
        revision="0004",
        migrate=f"ALTER TABLE {_TABLE} ADD COLUMN tier text",
        back=f"ALTER TABLE {_TABLE} DROP COLUMN IF EXISTS tier",
    ),
    OtherRevision(
        name="revision-behind",
        says="the last migration was taken back, and the code that runs was written for it",
        part="database",
        must=("table_matches_record",),
        revision="0002",
        migrate="DROP INDEX ix_voice_usage_logs_provider",
        back=f"CREATE INDEX IF NOT EXISTS ix_voice_usage_logs_provider ON {_TABLE} (provider)",
    ),
)
