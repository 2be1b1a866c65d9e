"""Rows made up for the tests, as a fault with two criteria that must and one that may would leave them."""

from typing import Any

from checks.criterion import criteria
from drills.matrix.elsewhere import elsewhere
from drills.matrix.row import HEALTHY, Matrix, Row

ALL = tuple(criteria({}, where="test"))
APART = tuple(elsewhere("processes"))


def row(fault: str = "broken", *failed: str, inconclusive: tuple[str, ...] = (), **more: Any) -> Row:
    """A row in which these criteria failed, these could not be told, and all others passed."""
    given = {"family": "service", "verdict_s": 8.0, "inject_s": 1.0, "heal_s": 1.0, "exit_code": 1} | more
    rest = [name for name in ALL if name not in (*failed, *inconclusive, *APART)]
    return Row(
        fault=fault,
        failed={name: f"{name} is bad" for name in failed},
        inconclusive={name: f"{name} is not known" for name in inconclusive},
        **{"passed": tuple(rest), "not_applicable": APART} | given,
    )


def healthy(*failed: str, **more: Any) -> Row:
    return row(HEALTHY, *failed, **{"family": ""} | more)


def matrix(*rows: Row, **more: Any) -> Matrix:
    given = {"commit": "abc", "taken_at": "2026-11-28T06:00:00+00:00", "cores": 2, "jobs": 2, "seconds": 60.0}
    return Matrix(stack="processes", rows=rows, **given | more)
