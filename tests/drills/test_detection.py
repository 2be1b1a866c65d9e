"""A fault turns the operator's own command red, the right criterion first; its cure turns it green."""

import os

import pytest

from drills.faults import active, catalogue
from drills.faults.storage.orphans import OrphanObject
from drills.plan import of_each_family, rehearsed
from rollback.snapshots.catalogue import SHARED

pytestmark = pytest.mark.drill


def others():
    """For each family and each action that cures in it the last such fault, where that action is not shown to cure in
    that family by test_rollbacks (each action) or `make families` (a drill of one fault of each family).

    That every fault is noticed, and by the right criteria, the matrix shows (`make matrix`). An orphan has to be three
    minutes old before anything may speak of it: the drills of each night have one.
    """
    here = [
        fault
        for fault in catalogue.FAULTS
        if "processes" in fault.stacks and fault.budget is None and not isinstance(fault, OrphanObject)
    ]
    shown = {
        (fault.family, fault.cure)
        for fault in (*rehearsed("processes").values(), *of_each_family("containers"))
    }
    last = {(fault.family, fault.cure): fault for fault in here if fault.cure is not None}
    return [fault for pair, fault in last.items() if pair not in shown]


@pytest.mark.parametrize("fault", others(), ids=lambda fault: fault.name)
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
    "snippet", ["functional.py", "performance.py", "provider_configuration.py", "health_check.py"]
)
def test_the_runbooks_own_python_runs_unchanged_on_the_whole_stack(operator, snippet_runner, snippet):
    layout = operator.stack.layout
    done = snippet_runner(layout.venv / "bin" / "python", layout.service, snippet)
    assert done.returncode == 0, done.stdout + done.stderr
