"""Faults of the database: rows that are gone, a server that is."""

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.processes import postgres
from drills.stacks.processes.layout import write_private
from target.wait import Seen, eventually

_READY_S = 30.0
_DAY = "(created_at AT TIME ZONE 'UTC')::date = (SELECT (now() AT TIME ZONE 'UTC')::date - 2)"


class RowsMissing(Fault, frozen=True):
    """The rows of the day before yesterday are gone."""

    def prepare(self, at: Place) -> None:
        with at.stack.database() as connection, connection.cursor() as cursor:
            found = cursor.execute(f"SELECT id FROM voice_usage_logs WHERE {_DAY}").fetchall()  # noqa: S608  (a constant)
            if not found:
                raise FaultError(f"{self.name}: there are no rows of the day before yesterday")
            numbers = ", ".join(str(int(row[0])) for row in found)
            statement = f"COPY (SELECT * FROM voice_usage_logs WHERE id IN ({numbers}) ORDER BY id) TO STDOUT"  # noqa: S608  (numbers)
            with cursor.copy(statement) as copy:
                rows = b"".join(bytes(block) for block in copy)
        write_private(at.saved / "rows.copy", rows)
        write_private(at.saved / "ids", numbers)

    def inject(self, at: Place) -> None:
        numbers = (at.saved / "ids").read_text()
        with at.stack.database() as connection:
            connection.execute(f"DELETE FROM voice_usage_logs WHERE id IN ({numbers})".encode())  # noqa: S608  (numbers)

    def landed(self, at: Place) -> str:
        if self._left(at):
            raise FaultError(f"{self.name}: the rows are there")
        count = len((at.saved / "ids").read_text().split(","))
        return f"{count} rows of the day before yesterday are not in voice_usage_logs"

    def heal(self, at: Place) -> None:
        if self._left(at):
            return
        rows = (at.saved / "rows.copy").read_bytes()
        statement = "COPY voice_usage_logs FROM STDIN"
        with at.stack.database() as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(rows)

    def _left(self, at: Place) -> int:
        numbers = (at.saved / "ids").read_text()
        with at.stack.database() as connection:
            statement = f"SELECT count(*) FROM voice_usage_logs WHERE id IN ({numbers})".encode()  # noqa: S608  (numbers)
            row = connection.execute(statement).fetchone()
        return int(row[0]) if row else 0


class DatabaseDown(Fault, frozen=True):
    """PostgreSQL does not run."""

    def inject(self, at: Place) -> None:
        at.stack.supervisor.stop("postgres")

    def landed(self, at: Place) -> str:
        complaint = postgres.answers(at.stack.ports, at.stack.secrets)
        if complaint is None:
            raise FaultError(f"{self.name}: the server takes connections")
        return f"nothing answers at port {at.stack.ports.postgres}"

    def heal(self, at: Place) -> None:
        at.stack.supervisor.start("postgres")

        def look() -> Seen:
            complaint = postgres.answers(at.stack.ports, at.stack.secrets)
            return Seen(complaint is None, complaint or "")

        waited = eventually(look, deadline_s=_READY_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the server does not come back: {waited.seen}")
        at.stack.restart_service()


FAULTS: tuple[Fault, ...] = (
    RowsMissing(
        name="rows-of-a-day-missing",
        says="the rows of the day before yesterday are gone from voice_usage_logs",
        part="database",
        shows=("rows_match_record", "objects_have_rows"),
    ),
    DatabaseDown(
        name="database-down",
        says="PostgreSQL does not run",
        part="database",
        shows=("components_healthy", "service_ready"),
    ),
)
