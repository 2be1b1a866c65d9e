"""Every fault lands, is remembered while it is active, and leaves nothing behind when it is healed."""

import os

import pytest

from drills.faults import active, catalogue
from drills.faults.fault import FaultError
from drills.front.behaviour import Behaviour
from tests.drills.faults.leaving import inventory

pytestmark = pytest.mark.drill


def one_of_each_kind():
    """The first of those that are injected and healed by the same code.

    That each one lands and is healed, so that its part answers again, the matrix shows (`make matrix`), and the nightly
    drills that it leaves nothing.
    """
    found = {}
    for fault in catalogue.FAULTS:
        if "processes" in fault.stacks:
            found.setdefault((type(fault).inject, type(fault).heal), fault)
    return found.values()


@pytest.mark.parametrize("fault", one_of_each_kind(), ids=lambda fault: fault.name)
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
