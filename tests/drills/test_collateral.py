"""What a rollback changed beside what it is for is told, by the inventory."""

import msgspec
import pytest

from drills.collateral import collateral, left_over
from drills.inventory import Broken, FileFacts, Inventory, Object, OnHost, Part, Row
from drills.stacks import service
from drills.stacks.storage import BACKUP_BUCKET, BUCKET
from drills.traffic.ledger import Call


def fact(content="one", mode=0o100600, changed=1, owner=0):
    return FileFacts(mode, owner, 0, changed, content, (1,))


FILES = {
    "service/.env": fact(),
    "service/.env.previous": fact("previous"),
    "service/app/main.py": fact("main"),
    "venv/bin/python": fact("python"),
    "state/journals/old.jsonl": fact("old"),
}
PARTS = {"postgres": Part("RUNNING", 1), service.NAME: Part("RUNNING", 2)}
BEFORE = Inventory(
    OnHost(FILES, PARTS),
    {f"{BUCKET}/tts/a.ogg": Object("1 x", 100.0)},
    {"a": (Row("", "tts/a.ogg", "h"),)},
    {"public.t": "id"},
)


def after(files=None, parts=None, objects=None, rows=None, schema=None):
    return Inventory(
        OnHost({**FILES, **(files or {})}, {**PARTS, **(parts or {})}),
        {**BEFORE.objects, **(objects or {})},
        {**BEFORE.rows, **(rows or {})},
        {**BEFORE.schema, **(schema or {})},
    )


def told(action, now, broken=BEFORE.on_host, calls=(), schema=BEFORE.schema):
    return [str(change) for change in collateral(action, Broken(broken, schema), BEFORE, now, calls)]


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def test_nothing_changed_is_none():
    assert told("environment", BEFORE) == []


def test_what_the_action_is_for_is_none():
    files = {
        "service/.env": fact("previous", changed=9),
        "service/.env.failed.20261128T052934Z": fact(),
        "state/journals/new.jsonl": fact("new"),
    }
    assert told("environment", after(files, {service.NAME: Part("RUNNING", 7)})) == []


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"service/.env.previous": fact("other")}, "file service/.env.previous: content"),
        ({"service/.env.previous": fact("previous", mode=0o100644)}, "file service/.env.previous: mode"),
        ({"service/.env.previous": fact("previous", owner=1)}, "file service/.env.previous: owner"),
        ({"service/.env.previous": fact("previous", changed=2)}, "file service/.env.previous: time"),
        ({"service/app/main.py": fact("other")}, "file service/app/main.py: content"),
        ({"service/core.tmp": fact()}, "file service/core.tmp: new"),
        ({"venv/bin/python": fact("other")}, "file venv/bin/python: content"),
    ],
)
def test_another_file_is_damage(files, says):
    assert told("environment", after(files)) == [says]


def test_the_compose_file_is_what_the_containers_action_is_for():
    files = {
        "compose/run-1/docker-compose.yml": fact("pinned"),
        "compose/run-1/docker-compose.yml.failed.20261128T052934Z": fact("moved"),
        "compose/run-1/state/journals/new.jsonl": fact("new"),
    }
    assert told("containers", after(files)) == []
    assert told("containers", after({"compose/run-1/.env": fact("other")})) == [
        "file compose/run-1/.env: new"
    ]


def test_a_file_that_is_gone_is_damage():
    now = msgspec.structs.replace(BEFORE, on_host=OnHost(without(FILES, "service/app/main.py"), PARTS))
    assert told("virtualenv", now) == ["file service/app/main.py: gone"]


def test_a_table_that_the_fault_has_made_is_not_the_rollbacks():
    lost = {"lost.t": "id"}
    assert told("database", after(schema=lost), schema=lost) == []
    assert told("database", after(schema=lost)) == ["schema lost.t: new"]


def test_what_the_fault_did_is_not_the_rollbacks():
    broken = OnHost({**FILES, "service/.env.previous": fact("crlf")}, PARTS)
    assert told("environment", after({"service/.env.previous": fact("crlf")}), broken) == []


def test_another_process_that_was_restarted_or_stopped_is_damage():
    assert told("environment", after(parts={"postgres": Part("RUNNING", 9)})) == [
        "process postgres: restarted"
    ]
    stopped = told("environment", after(parts={service.NAME: Part("EXITED", 0)}))
    assert stopped == [f"process {service.NAME}: EXITED, was RUNNING"]


def test_what_the_traffic_has_had_written_is_none():
    now = after(
        objects={f"{BUCKET}/tts/b.ogg": Object("2 y", 100.0)},
        rows={"b": (Row("drill-traffic", "tts/b.ogg", "i"),)},
    )
    assert told("environment", now) == []


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (after(rows={"a": (Row("", "tts/a.ogg", "other"),)}), "row a: content"),
        (after(rows={"b": (Row("somebody", None, "i"),)}), "row b: new"),
        (after(rows={"b": (Row("drill-traffic", None, "i"), Row("drill-traffic", None, "j"))}), "row b: new"),
        (after(objects={f"{BUCKET}/tts/a.ogg": Object("1 y", 100.0)}), f"object {BUCKET}/tts/a.ogg: content"),
        (after(objects={f"{BUCKET}/tts/b.ogg": Object("1 y", 100.0)}), f"object {BUCKET}/tts/b.ogg: new"),
        (after(schema={"database scratch": ""}), "schema database scratch: new"),
        (msgspec.structs.replace(BEFORE, rows={}), "row a: gone"),
        (msgspec.structs.replace(BEFORE, objects={}), f"object {BUCKET}/tts/a.ogg: gone"),
    ],
)
def test_a_row_an_object_a_table_is_damage(now, says):
    assert told("database", now) == [says]


def test_what_the_database_action_keeps_for_its_undo_is_none():
    now = after(schema={"voice_rollback.inserted_20261128t054402z": "id"})
    assert told("database", now) == []
    assert told("objects", now) == ["schema voice_rollback.inserted_20261128t054402z: new"]


def test_what_the_objects_action_sets_aside_is_none():
    now = after(objects={f"{BACKUP_BUCKET}/.failed/20261128T055653Z/tts/a.ogg": Object("1 y", 100.0)})
    assert told("objects", now) == []
    assert len(told("database", now)) == 1


@pytest.mark.parametrize(
    ("status", "started", "name", "damage"),
    [
        (503, 99.0, f"{BUCKET}/tts/b.ogg", 0),
        (200, 99.0, f"{BUCKET}/tts/b.ogg", 1),
        (503, 50.0, f"{BUCKET}/tts/b.ogg", 1),
        (503, 99.0, f"{BACKUP_BUCKET}/tts/b.ogg", 1),
    ],
)
def test_the_object_of_a_call_that_the_restart_cut_short_is_none(status, started, name, damage):
    call = Call(operation="tts", intended=started, started=started, ended=started + 1, status=status)
    assert len(told("environment", after(objects={name: Object("1 y", 100.0)}), calls=[call])) == damage


def test_after_healing_only_times_and_what_was_set_aside_may_differ():
    healed = after({"service/.env": fact(changed=9), "service/.env.failed.20261128T052934Z": fact("broken")})
    assert left_over(BEFORE, healed, []) == []
    assert [str(each) for each in left_over(BEFORE, after({"service/.env": fact("broken")}), [])] == [
        "file service/.env: content"
    ]
