"""What a recovery took and cost, from the ledger, the journal and the inventory."""

import msgspec

from drills.inventory import Inventory
from drills.outcome import Finding, Lost
from drills.stacks.storage import BUCKET
from drills.traffic.ledger import Call
from rollback import clock


class _Line(msgspec.Struct, frozen=True):
    event: str
    at: str


def first_change(journal: bytes) -> float | None:
    """When a rollback began to change something, in seconds since the epoch; None when it changed nothing."""
    decoder = msgspec.json.Decoder(_Line)
    for line in journal.splitlines():
        try:
            found = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        if found.event == "intent":
            return clock.of_iso(found.at)
    return None


def split(began: float, ended: float, changed: float | None) -> tuple[float, float]:
    """The seconds of a rollback before its first change and from there on; times since the epoch."""
    at = ended if changed is None else min(max(changed, began), ended)
    return at - began, ended - at


def lost(calls: list[Call], after: Inventory) -> Lost:
    """The acknowledged writes that are gone."""
    acknowledged = [call for call in calls if call.acknowledged]
    rows = (call.request_id for call in acknowledged if call.request_id)
    keys = (call.audio_key for call in acknowledged if call.audio_key)
    return Lost(
        acknowledged=len(acknowledged),
        rows=tuple(row for row in rows if row not in after.rows),
        objects=tuple(key for key in keys if f"{BUCKET}/{key}" not in after.objects),
    )


def traffic_ran(calls: list[Call], *, broken: float, mended: float | None, alive: bool) -> Finding:
    """Whether there was traffic before the fault (`broken`) and after it was `mended`, where it was.

    Times in seconds since the epoch. `alive`: it still ran when it was stopped.
    """
    acknowledged = [call for call in calls if call.acknowledged]
    unnamed = sum(not call.request_id or not call.audio_key for call in acknowledged)
    unsent = sum((call.error or "").startswith("not sent") for call in calls)
    before = sum(call.ended < broken for call in acknowledged)
    says = f"{len(acknowledged)} of {len(calls)} calls acknowledged, {before} of them before the fault"
    if not alive:
        return Finding(False, f"Locust ended before its time ({says})")
    if unsent:
        return Finding(False, f"{unsent} calls were not sent, so many were open ({says})")
    if unnamed:
        return Finding(False, f"{unnamed} acknowledged calls name no row or no object ({says})")
    if not before:
        return Finding(False, f"nothing was acknowledged before the fault ({says})")
    if mended is not None:
        later = sum(call.started > mended for call in acknowledged)
        if not later:
            return Finding(False, f"nothing was acknowledged after the recovery ({says})")
        says += f", {later} after the recovery"
    return Finding(True, says)
