"""Every fault lands, is remembered while it is active, and leaves nothing behind when it is healed."""

import hashlib
import os

import pytest

from drills.faults import active, catalogue
from drills.faults.fault import FaultError
from drills.front.behaviour import Behaviour
from drills.stacks.storage import BACKUP_BUCKET, BUCKET

pytestmark = pytest.mark.drill


def inventory(stack):
    """Everything that a fault could have left changed."""
    store = stack.store()
    found = {
        bucket: sorted(
            (item.object_name, item.size, item.etag) for item in store.list_objects(bucket, recursive=True)
        )
        for bucket in (BUCKET, BACKUP_BUCKET)
    }
    with stack.database() as connection, connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT * FROM voice_usage_logs ORDER BY id) TO STDOUT") as copy:
            found["rows"] = hashlib.sha256(b"".join(bytes(block) for block in copy)).hexdigest()
        found["schema"] = cursor.execute(
            "SELECT (SELECT array_agg(attname::text || ' ' || atttypid::regtype ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = 'voice_usage_logs'::regclass AND attnum > 0 AND NOT attisdropped), "
            "(SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'), "
            "(SELECT version_num FROM alembic_version), (SELECT array_agg(nspname ORDER BY 1) FROM pg_namespace)"
        ).fetchone()
        found["sequence"] = cursor.execute("SELECT last_value FROM voice_usage_logs_id_seq").fetchone()
    for path in (stack.layout.environment, stack.layout.environment_previous):
        found[path.name] = (path.read_bytes(), path.stat().st_mode)
    found["front"] = stack.front.state()
    found["network"] = stack.network.state()
    found["orders"] = [standing.orders for standing in stack.providers.state().providers.values()]
    found["parts"] = [(part.program.name, part.program.state) for part in stack.parts()]
    found["saved"] = sorted(path.name for path in stack.layout.saved.glob("*"))
    return found


@pytest.mark.parametrize(
    "fault",
    [fault for fault in catalogue.FAULTS if "processes" in fault.stacks],
    ids=lambda fault: fault.name,
)
def test_lands_and_heals(stack, fault):
    if fault.root and os.geteuid() != 0:
        pytest.skip("only root can make it")
    stack.wait_service()
    before = inventory(stack)
    evidence = active.inject(stack, fault.name)
    assert evidence
    assert all(
        secret not in evidence for secret in (stack.secrets.openai_api_key, stack.secrets.database_password)
    )
    assert [(item.name, item.evidence) for item in active.active(stack)] == [(fault.name, evidence)]
    assert active.heal(stack, fault.name) == [fault.name]
    assert active.active(stack) == []
    stack.wait_service()
    stack.supervisor.wait_settled()
    assert inventory(stack) == before


def test_two_faults_of_different_parts_heal_together(stack):
    before = inventory(stack)
    active.inject(stack, "token-not-checked")
    active.inject(stack, "object-missing")
    assert active.heal(stack, None) == ["object-missing", "token-not-checked"]
    assert inventory(stack) == before
    assert active.heal(stack, None) == []


def test_the_same_part_is_not_broken_twice(stack):
    active.inject(stack, "metrics-gone")
    try:
        with pytest.raises(FaultError, match="metrics-gone is active already"):
            active.inject(stack, "metrics-gone")
        with pytest.raises(FaultError, match="heal that one first"):
            active.inject(stack, "secret-in-health")
    finally:
        active.heal(stack, None)
    assert stack.front.state() == Behaviour()


def test_what_cannot_be_made_on_this_stack_is_refused(stack, monkeypatch):
    monkeypatch.setattr(stack, "kind", "containers-of-tomorrow")
    with pytest.raises(FaultError, match="and this is a stack of containers-of-tomorrow"):
        active.inject(stack, "token-not-checked")
    assert active.active(stack) == []


def test_what_is_not_active_cannot_be_healed(stack):
    with pytest.raises(FaultError, match="metrics-gone is not active; active: none"):
        active.heal(stack, "metrics-gone")


def test_a_fault_that_does_not_land_is_undone_and_said(stack, monkeypatch):
    before = inventory(stack)
    monkeypatch.setattr(type(stack.front), "become", lambda self, behaviour: behaviour)
    with pytest.raises(FaultError, match="nothing is wrong"):
        active.inject(stack, "metrics-gone")
    assert active.active(stack) == []
    assert inventory(stack) == before


def test_a_fault_that_something_else_mended_makes_way_for_the_next(stack):
    before = inventory(stack)
    active.inject(stack, "token-not-checked")
    stack.front.become(Behaviour())
    active.inject(stack, "secret-in-health")
    assert [item.name for item in active.active(stack)] == ["secret-in-health"]
    active.heal(stack, None)
    assert inventory(stack) == before
