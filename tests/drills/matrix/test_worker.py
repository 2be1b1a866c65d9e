"""A row is taken whatever the fault runs into, and a stack that is not healed is used no more."""

from types import SimpleNamespace

import msgspec
import pytest

from drills.faults.catalogue import FAULTS
from drills.faults.fault import FaultError
from drills.matrix import worker
from drills.matrix.stage import Judged
from tests.drills.matrix.test_stage import Secrets, criterion, verdict

FAULT = next(fault for fault in FAULTS if fault.budget is None)
SEEN = Judged(verdict(criterion("error_rate", "fail", "bad")), 7.0)


def raises(error):
    def act(*_, **__):
        raise error

    return act


@pytest.fixture
def stack(monkeypatch, tmp_path):
    """A stack in name only, on which everything goes well."""
    monkeypatch.setattr(worker.active, "inject", lambda *_: "it is broken")
    monkeypatch.setattr(worker.active, "heal", lambda *_: [FAULT.name])
    monkeypatch.setattr(worker, "judge", lambda *_, **__: SEEN)
    layout = SimpleNamespace(root=tmp_path / "stack", target_file=tmp_path / "target.yaml")
    return SimpleNamespace(secrets=Secrets(), layout=layout, wait_service=lambda: None)


def take(stack):
    return worker.take(stack, FAULT, stack.layout.root / "run", "before")


def test_a_fault_that_lands_and_heals_makes_a_row(stack):
    row, well = take(stack)
    assert (row.landed, row.failed, row.trouble, well) == ("it is broken", {"error_rate": "bad"}, "", True)
    assert (row.must, row.may, row.after, row.verdict_s) == (FAULT.must, FAULT.may, "before", 7.0)
    assert None not in (row.inject_s, row.heal_s)


@pytest.mark.parametrize("error", [FaultError("it is what it was"), KeyError("a defect of the fault")])
def test_a_fault_that_is_not_injected_is_inconclusive_and_judged_by_nobody(stack, monkeypatch, error):
    monkeypatch.setattr(worker.active, "inject", raises(error))
    monkeypatch.setattr(worker, "judge", raises(AssertionError))
    row, well = take(stack)
    assert row.trouble.startswith(f"not injected: {type(error).__name__}")
    assert (row.failed, well) == ({}, True)


def test_a_fault_that_is_not_healed_ends_the_stack_and_is_inconclusive(stack, monkeypatch):
    monkeypatch.setattr(worker.active, "heal", raises(FaultError("the server does not come back")))
    row, well = take(stack)
    assert row.trouble == "not healed: FaultError: the server does not come back"
    assert (row.failed, well) == ({"error_rate": "bad"}, False)


def test_a_service_that_does_not_come_back_ends_the_stack(stack):
    stack.wait_service = raises(FaultError("not healthy after 30 s"))
    assert take(stack)[1] is False


def test_a_verdict_that_cannot_be_had_is_inconclusive(stack, monkeypatch):
    monkeypatch.setattr(worker, "judge", lambda *_, **__: Judged(None, 180.0, "not done after 180 s"))
    row, well = take(stack)
    assert (row.trouble, well) == ("not done after 180 s", True)


def test_the_budget_that_a_fault_needs_is_asked_for(stack, monkeypatch):
    asked = []

    def judge(*_, budget=None, checks=(), **__):
        asked.append((budget, checks))
        outcome = "inconclusive" if budget is None else "fail"
        return Judged(verdict(criterion("error_rate", outcome, "2 of 300")), 7.0)

    monkeypatch.setattr(worker, "judge", judge)
    rare = msgspec.structs.replace(FAULT, must=("error_rate",), budget=24_000)
    row, _ = worker.take(stack, rare, stack.layout.root / "run", "")
    assert asked == [(None, ()), (24_000, ("checks/test_health.py::test_the_health_endpoint",))]
    assert (row.failed, row.inconclusive, row.verdict_s) == ({"error_rate": "2 of 300"}, {}, 14.0)


def test_an_interruption_is_no_trouble_of_the_row(stack, monkeypatch):
    monkeypatch.setattr(worker, "judge", raises(worker.Ended("SIGTERM")))
    with pytest.raises(worker.Ended):
        take(stack)
