"""What a drill leaves to the next one."""

import pytest

from drills.course import not_drilled, sound
from drills.faults.catalogue import FAULTS
from drills.outcome import Finding

YES, NO, UNKNOWN = Finding(True, "so it is"), Finding(False, "it is not"), Finding(None, "not known")


@pytest.mark.parametrize(
    ("cleaned", "steady", "cured", "fit"),
    [
        (YES, YES, YES, True),
        (YES, None, None, True),  # it was not begun, so that nothing was changed
        (NO, YES, YES, False),
        (UNKNOWN, YES, YES, False),
        (None, YES, YES, False),
        (YES, YES, NO, False),
        (YES, YES, UNKNOWN, False),
        (YES, NO, None, False),
        (YES, UNKNOWN, None, False),
    ],
)
def test_the_stack_is_made_anew_unless_all_is_as_before_and_the_checks_were_green(
    cleaned, steady, cured, fit
):
    drilled = not_drilled(FAULTS[0], "processes", "", cleaned)
    drilled.steady, drilled.cured = steady, cured
    assert sound(drilled) is fit
