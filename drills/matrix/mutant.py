"""A pytest plugin that breaks the decision of one criterion. Only the drills load it, by `-p drills.matrix.mutant`.

`DRILLS_MUTANT=KIND:CRITERION` says which, and how:

- `passes`: whatever the check finds, its decision is a pass;
- `compares-nothing`: what the check measured is not compared, so that nothing can be wrong with it. A check that
  compares by itself and then only tells that it failed never comes to tell.
"""

import os
from typing import Any

import msgspec
import pytest

import checks.plugin
from checks.criterion import Criterion, criteria
from checks.observation import Decide
from checks.rates import Outcome

ORDER = "DRILLS_MUTANT"
PASSES, COMPARES_NOTHING = "passes", "compares-nothing"
KINDS = (PASSES, COMPARES_NOTHING)


class _MetByAll(Criterion, frozen=True):
    """A limit that every value meets."""

    def holds(self, value: float) -> bool:
        del value
        return True


class _AlwaysPasses(Decide):
    broken = ""

    def _note(self, criterion: str, outcome: Outcome, observed: Any, **told: Any) -> None:
        super()._note(criterion, "pass" if criterion == self.broken else outcome, observed, **told)


class _ComparesNothing(Decide):
    broken = ""

    def __init__(self, declared: tuple[str, ...], criteria: dict[str, Criterion]) -> None:
        limit = _MetByAll(**msgspec.structs.asdict(criteria[self.broken]))
        super().__init__(declared, {**criteria, self.broken: limit})

    def require(self, criterion: str, problems: list[str], **told: Any) -> None:
        super().require(criterion, [] if criterion == self.broken else problems, **told)

    def rate(self, criterion: str, *, failures: int, **told: Any) -> None:
        super().rate(criterion, failures=0 if criterion == self.broken else failures, **told)

    def failed(self, criterion: str, observed: Any, **told: Any) -> None:
        # `require` above never comes here for the one that is broken.
        if criterion != self.broken:
            super().failed(criterion, observed, **told)


_MUTANTS = {PASSES: _AlwaysPasses, COMPARES_NOTHING: _ComparesNothing}


def pytest_configure() -> None:
    """Give every check the broken decision. Raises pytest.UsageError where the order names nothing that there is."""
    kind, _, criterion = os.environ.get(ORDER, "").partition(":")
    if kind not in _MUTANTS or criterion not in criteria({}, where=ORDER):
        raise pytest.UsageError(f"{ORDER} has to be KIND:CRITERION, KIND one of {', '.join(KINDS)}")
    mutant = type("Mutant", (_MUTANTS[kind],), {"broken": criterion})
    pytest.MonkeyPatch().setattr(checks.plugin, "Decide", mutant)
