"""Faults of the usage log's rows: gone, there twice, or with ids that are taken."""

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.layout import write_private

_UNIQUE = "voice_usage_logs_request_id_key"
_COLUMNS = (
    "created_at, request_id, operation, provider, language, status, duration_ms, audio_key, audio_sha256, audio_bytes, "
    "characters, client, error"
)
_DAY = "(created_at AT TIME ZONE 'UTC')::date = (SELECT (now() AT TIME ZONE 'UTC')::date - 2)"


class RowsMissing(Fault, frozen=True):
    """Rows are gone: those that `chosen`, a query, gives the ids of."""

    chosen: str
    which: str

    def prepare(self, at: Place) -> None:
        with at.stack.database() as connection, connection.cursor() as cursor:
            found = cursor.execute(self.chosen.encode()).fetchall()
            if not found:
                raise FaultError(f"{self.name}: there are no rows {self.which}")
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
        return f"{count} rows {self.which} are not in voice_usage_logs"

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


class _SequenceFault(Fault, frozen=True):
    """A fault that moves the id's sequence, which healing puts back, or past what was written since."""

    def prepare(self, at: Place) -> None:
        with at.stack.database() as connection:
            row = connection.execute("SELECT last_value FROM voice_usage_logs_id_seq").fetchone()
        write_private(at.saved / "sequence", str(int(row[0]) if row else 1))

    @staticmethod
    def _put_back(at: Place) -> None:
        before = int((at.saved / "sequence").read_text())
        with at.stack.database() as connection:
            connection.execute(
                "SELECT setval('voice_usage_logs_id_seq', greatest(%s, (SELECT max(id) FROM voice_usage_logs)))",
                (before,),
            )


class RowsDoubled(_SequenceFault, frozen=True):
    """A restore was run twice: the rows of a day are there twice, and what forbids that is gone."""

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(f"ALTER TABLE voice_usage_logs DROP CONSTRAINT IF EXISTS {_UNIQUE}")
            connection.execute(
                f"INSERT INTO voice_usage_logs ({_COLUMNS}) SELECT {_COLUMNS} FROM voice_usage_logs WHERE {_DAY}"  # noqa: S608  (constants)
            )

    def landed(self, at: Place) -> str:
        with at.stack.database() as connection:
            row = connection.execute(
                "SELECT count(*) - count(DISTINCT request_id) FROM voice_usage_logs"
            ).fetchone()
        if not row or not row[0]:
            raise FaultError(f"{self.name}: every request has one row")
        return f"{row[0]} rows repeat a request that has its row"

    def heal(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(
                "DELETE FROM voice_usage_logs a USING voice_usage_logs b "
                "WHERE a.request_id = b.request_id AND a.id > b.id"
            )
            connection.execute(f"ALTER TABLE voice_usage_logs DROP CONSTRAINT IF EXISTS {_UNIQUE}")
            connection.execute(f"ALTER TABLE voice_usage_logs ADD CONSTRAINT {_UNIQUE} UNIQUE (request_id)")
        self._put_back(at)


class SequenceBehind(_SequenceFault, frozen=True):
    """The id's sequence starts anew, as after a restore that forgot it: inserts fail."""

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute("SELECT setval('voice_usage_logs_id_seq', 1, false)")

    def landed(self, at: Place) -> str:
        with at.stack.database() as connection:
            row = connection.execute(
                "SELECT last_value, (SELECT max(id) FROM voice_usage_logs) FROM voice_usage_logs_id_seq"
            ).fetchone()
        if not row or row[0] >= row[1]:
            raise FaultError(f"{self.name}: the sequence is past every row")
        return f"the sequence is at {row[0]}, and row {row[1]} is there"

    def heal(self, at: Place) -> None:
        self._put_back(at)


FAULTS: tuple[Fault, ...] = (
    RowsMissing(
        name="rows-of-a-day-missing",
        says="the rows of the day before yesterday are gone from voice_usage_logs",
        part="database",
        must=("rows_match_record",),
        scenario=1,
        cure="database",
        chosen=f"SELECT id FROM voice_usage_logs WHERE {_DAY}",  # noqa: S608  (a constant)
        which="of the day before yesterday",
    ),
    RowsDoubled(
        name="rows-doubled",
        says="the rows of the day before yesterday are in voice_usage_logs twice",
        part="database",
        must=("table_matches_record", "rows_match_record", "no_duplicate_rows"),
        scenario=1,
        cure="database",
    ),
    SequenceBehind(
        name="sequence-behind",
        says="the sequence of voice_usage_logs gives ids that are taken",
        part="database",
        must=("tts_success_rate", "stt_success_rate", "sequence_ahead"),
        scenario=1,
        cure="database",
    ),
)
