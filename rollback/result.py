"""How carrying out an action ended, for the exit code and for machines."""

from typing import Literal

import msgspec

Outcome = Literal[
    "done",
    "nothing to do",
    "planned",
    "undone",
    "failed and undone",
    "abandoned",
    "interrupted",
    "failed and not undone",
    "refused",
]

EXIT: dict[Outcome, int] = {
    "done": 0,
    "nothing to do": 0,
    "planned": 0,
    "undone": 0,
    "abandoned": 0,
    "failed and undone": 1,
    "interrupted": 2,
    "failed and not undone": 3,
    "refused": 5,
}
EXIT_INTERNAL = 3
EXIT_USAGE = 4
EXIT_REFUSED = 5


class StepResult(msgspec.Struct, frozen=True):
    """A step that was applied or undone in this call; `seconds` of wall time."""

    name: str
    evidence: str
    seconds: float


class PlannedStep(msgspec.Struct, frozen=True):
    """A step of a dry run: what it would do, and how long it took before (seconds; None where that is not known)."""

    name: str
    does: tuple[str, ...]
    expected_s: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One host's part. `why` says what failed; `journal` is the file on the host, None where none was written.

    `reverts`: whether an undo of it would bring anything back.
    `plan` and `expected_s` (the median of `rehearsals` earlier runs, None where there is none) are of a dry run.
    """

    host: str
    action: str
    outcome: Outcome
    goal: str
    run: str | None = None
    journal: str | None = None
    steps: tuple[StepResult, ...] = ()
    plan: tuple[PlannedStep, ...] = ()
    expected_s: float | None = None
    rehearsals: int = 0
    seconds: float = 0.0
    budget_s: float = 0.0
    why: str = ""
    reverts: bool = False

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for it."""
        return EXIT[self.outcome]
