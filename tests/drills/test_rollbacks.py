"""Each action as a person would use it: triage names it, it turns the verdict green, and undoing it turns it red.

That the verdict of each fault is red before, the matrix shows (`make matrix`).
"""

import pytest

from drills.faults import active
from drills.plan import rehearsed
from rollback.catalogue import OFFERS

pytestmark = pytest.mark.drill
REHEARSED = rehearsed("processes")


def test_every_action_that_the_embedded_stack_offers_is_rehearsed():
    assert OFFERS.keys() - REHEARSED.keys() <= {"containers"}, "containers need a Docker engine"


@pytest.mark.parametrize("action", REHEARSED)
def test_triage_roll_back_green_undo_red(operator, action):
    fault = REHEARSED[action]
    active.inject(operator.stack, fault.name)
    try:
        found = operator.triages()
        assert f"python -m rollback {action} " in found["cure"]["command"], found
        operator.rolls_back(action)
        rolled_back = operator.judges()
        assert rolled_back.code == 0, rolled_back.screen
        operator.rolls_back(action, "--undo")
        undone = operator.judges()
        assert (undone.code, undone.failed[0] in fault.first) == (1, True), undone.screen
    finally:
        active.heal(operator.stack, fault.name)
    operator.saw_no_secret()


def test_after_all_of_it_the_stack_is_as_good_as_before(operator):
    healed = operator.judges()
    assert healed.code == 0, healed.screen
