"""RTO, RPO and the traffic, from what a drill has written down."""

import json

import pytest

from drills import recovery
from drills.inventory import Inventory, Object, OnHost, Row
from drills.stacks.storage import BUCKET
from drills.traffic.ledger import Call


def call(at, *, status=200, name="a", key="tts/a.ogg", error=None):
    acknowledged = {"status": status, "request_id": name, "audio_key": key, "error": error}
    return Call(operation="tts", intended=at, started=at, ended=at + 0.1, **acknowledged)


def after(rows, keys):
    return Inventory(
        OnHost({}, {}),
        {f"{BUCKET}/{key}": Object("1 x", 1.0) for key in keys},
        {row: (Row("drill-traffic", None, "x"),) for row in rows},
        {},
    )


def test_what_was_acknowledged_and_is_gone_is_named():
    calls = [call(1), call(2, name="b", key="tts/b.ogg"), call(3, status=503, name=None, key=None)]
    found = recovery.lost(calls, after(rows=["a"], keys=["tts/b.ogg"]))
    assert (found.acknowledged, found.rows, found.objects) == (2, ("b",), ("tts/a.ogg",))
    assert found.count == 2


def test_nothing_is_lost_when_all_is_there():
    assert recovery.lost([call(1)], after(["a"], ["tts/a.ogg"])).count == 0


def test_traffic_before_and_after_is_good():
    found = recovery.traffic_ran([call(1), call(5, status=503), call(9)], broken=3, mended=8, alive=True)
    assert found.holds
    assert found.says == "2 of 3 calls acknowledged, 1 of them before the fault, 1 after the recovery"


@pytest.mark.parametrize(
    ("calls", "alive", "says"),
    [
        ([call(1), call(9)], False, "Locust ended before its time"),
        ([call(9)], True, "nothing was acknowledged before the fault"),
        ([call(1)], True, "nothing was acknowledged after the recovery"),
        ([call(1), call(9, name=None)], True, "1 acknowledged calls name no row"),
        (
            [call(1), call(4, status=0, error="not sent: 128 calls are open"), call(9)],
            True,
            "1 calls were not sent",
        ),
        ([], True, "nothing was acknowledged before the fault"),
    ],
)
def test_traffic_that_proves_nothing(calls, alive, says):
    found = recovery.traffic_ran(calls, broken=3, mended=8, alive=alive)
    assert found.holds is False
    assert found.says.startswith(says)


def test_a_service_that_was_not_mended_need_not_answer():
    assert recovery.traffic_ran([call(1)], broken=3, mended=None, alive=True).holds


def test_a_rollback_is_split_at_its_first_change():
    lines = [
        {"event": "begin", "at": "1970-01-01T00:00:10.000Z"},
        {"event": "intent", "at": "1970-01-01T00:00:12.500Z"},
        {"event": "intent", "at": "1970-01-01T00:00:14.000Z"},
    ]
    journal = b"\n".join(json.dumps(line).encode() for line in lines) + b'\n{"event": "do'
    changed = recovery.first_change(journal)
    assert changed == 12.5
    assert recovery.split(10.0, 20.0, changed) == (2.5, 7.5)


def test_a_rollback_that_changed_nothing_was_all_deciding():
    assert recovery.first_change(b"") is None
    assert recovery.split(10.0, 20.0, None) == (10.0, 0.0)
