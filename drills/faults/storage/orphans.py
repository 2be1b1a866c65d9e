"""Faults of storage and rows together: a recording that no row knows."""

import time

from checks.reconcile import YOUNG_S
from drills.faults.database.rows import RowsMissing
from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.layout import write_private
from drills.stacks.storage import BUCKET
from target.wait import Seen, eventually

_MARGIN_S = 5.0


class OrphanObject(RowsMissing, frozen=True):
    """A recording lies in the bucket and its row is gone.

    Where there is one, it is a recording that was made after the past of the stack, which no record knows. No check
    may speak of one that is younger than three minutes, since its row may be under way: that age is waited for.
    """

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        number = (at.saved / "ids").read_text()
        with at.stack.database() as connection:
            row = connection.execute(
                "SELECT audio_key FROM voice_usage_logs WHERE id = %s", (int(number),)
            ).fetchone()
        assert row is not None
        write_private(at.saved / "key", str(row[0]))
        made = at.stack.store().stat_object(BUCKET, str(row[0])).last_modified
        assert made is not None

        def look() -> Seen:
            age = time.time() - made.timestamp()
            return Seen(age > YOUNG_S + _MARGIN_S, f"{age:.0f} s old")

        waited = eventually(look, deadline_s=YOUNG_S + 2 * _MARGIN_S, interval_s=1.0)
        if not waited.met:
            raise FaultError(f"{self.name}: {row[0]} is only {waited.seen}")

    def landed(self, at: Place) -> str:
        super().landed(at)
        key = (at.saved / "key").read_text()
        return f"{key} has {at.stack.store().stat_object(BUCKET, key).size} bytes, and no row names it"


FAULTS: tuple[Fault, ...] = (
    OrphanObject(
        name="orphan-object",
        says="a recording lies in the bucket, and its row is gone",
        part="database",
        must=("objects_have_rows",),
        cure="database",
        chosen=(
            "SELECT id FROM voice_usage_logs WHERE audio_key IS NOT NULL ORDER BY client IS NULL, id LIMIT 1"
        ),
        which="that name a recording",
    ),
)
