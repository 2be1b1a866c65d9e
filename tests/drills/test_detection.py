"""A fault turns the operator's own command red, the right criterion first; its cure turns it green."""

import os

import pytest

from drills.faults import active, catalogue
from drills.plan import rehearsed
from rollback.snapshots.catalogue import SHARED

pytestmark = pytest.mark.drill
REHEARSED = rehearsed("processes")


def one_of_each_cure():
    """For each family and each action that cures in it the last such fault; test_rollbacks rehearses the first.

    That every fault is noticed, and by the right criteria, the matrix shows (drills/matrix).
    """
    here = [fault for fault in catalogue.FAULTS if "processes" in fault.stacks and fault.budget is None]
    last = {(fault.family, fault.cure): fault for fault in here if fault.cure is not None}
    return [fault for fault in last.values() if fault not in REHEARSED.values()]


@pytest.mark.parametrize("fault", one_of_each_cure(), ids=lambda fault: fault.name)
def test_a_fault_is_noticed_and_what_mends_it_is_believed(operator, fault):
    if fault.root and os.geteuid() != 0:
        pytest.skip("only root can make it")
    if fault.cure in SHARED:  # what was written since the last backup would be lost, as it should be
        operator.rolls_back("snapshot", fault.cure)
    active.inject(operator.stack, fault.name)
    try:
        broken = operator.judges()
        assert broken.code == 1, broken.screen
        assert broken.failed[0] in fault.first, broken.screen
        assert set(fault.must) <= set(broken.failed), broken.screen
        operator.rolls_back(*operator.is_told(fault.cure))
        cured = operator.judges()
        assert cured.code == 0, cured.screen
    finally:
        active.heal(operator.stack, fault.name)
    operator.saw_no_secret()


@pytest.mark.parametrize(
    "fault", [fault for fault in catalogue.FAULTS if fault.budget], ids=lambda fault: fault.name
)
def test_what_the_usual_budget_cannot_tell_is_no_pass_and_a_larger_one_tells(operator, fault):
    active.inject(operator.stack, fault.name)
    try:
        usual = operator.judges()
        assert usual.code == 6, usual.screen
        assert set(fault.must) <= set(usual.undecided), usual.screen
        told = operator.judges("health", fault.budget)
        assert told.code == 1, told.screen
        assert told.failed == list(fault.must), told.screen
    finally:
        active.heal(operator.stack, fault.name)
    assert operator.judges().code == 0


@pytest.mark.parametrize(
    "snippet", ["functional.py", "performance.py", "provider_configuration.py", "health_check.py"]
)
def test_the_runbooks_own_python_runs_unchanged_on_the_whole_stack(operator, snippet_runner, snippet):
    layout = operator.stack.layout
    done = snippet_runner(layout.venv / "bin" / "python", layout.service, snippet)
    assert done.returncode == 0, done.stdout + done.stderr
