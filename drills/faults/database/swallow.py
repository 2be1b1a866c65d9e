"""A fault of the database that takes writes and keeps nothing of them."""

from datetime import datetime

import msgspec

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.layout import write_private
from drills.stacks.storage import BUCKET

_RULE = "voice_drill_swallow"
_TRY = "INSERT INTO voice_usage_logs SELECT * FROM voice_usage_logs LIMIT 1"


class RowsSwallowed(Fault, frozen=True):
    """Every insert succeeds, and no row comes of it. What is spoken meanwhile has no row: healing removes it."""

    def prepare(self, at: Place) -> None:
        write_private(at.saved / "keys.json", msgspec.json.encode(sorted(_keys(at))))

    def inject(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(f"CREATE RULE {_RULE} AS ON INSERT TO voice_usage_logs DO INSTEAD NOTHING")

    def landed(self, at: Place) -> str:
        with at.stack.database() as connection:
            found = connection.execute("SELECT 1 FROM pg_rules WHERE rulename = %s", (_RULE,)).fetchone()
            if found is None:
                raise FaultError(f"{self.name}: inserts into voice_usage_logs are kept")
            # A row that is there already would be refused, were it not swallowed.
            kept = connection.execute(_TRY).rowcount
        return f"an insert into voice_usage_logs succeeds, and {kept} rows come of it"

    def heal(self, at: Place) -> None:
        with at.stack.database() as connection:
            connection.execute(f"DROP RULE IF EXISTS {_RULE} ON voice_usage_logs")
        # A statement that was prepared while the rule stood swallows on: its plan names no table to be told of.
        at.stack.restart_service()
        started = datetime.fromisoformat(str((at.stack.health() or {})["started_at"]))
        before = msgspec.json.decode((at.saved / "keys.json").read_bytes(), type=set[str])
        written = _keys(at, until=started)
        with at.stack.database() as connection:
            rows = connection.execute("SELECT audio_key FROM voice_usage_logs").fetchall()
        store = at.stack.store()
        for key in written - before - {row[0] for row in rows}:
            store.remove_object(BUCKET, key)


def _keys(at: Place, until: datetime | None = None) -> set[str]:
    """The objects in the bucket, those that were written before that time."""
    listed = at.stack.store().list_objects(BUCKET, recursive=True)
    return {
        item.object_name
        for item in listed
        if item.object_name
        and (until is None or (item.last_modified is not None and item.last_modified < until))
    }


FAULTS: tuple[Fault, ...] = (
    RowsSwallowed(
        name="rows-swallowed",
        says="the database takes the rows of the service and keeps none of them",
        part="database",
        must=("writes_recorded",),
        may=("objects_have_rows",),
    ),
)
