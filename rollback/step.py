"""One step of an action: what it needs, what it does, how it is verified, how it is undone."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One fact of the preflight that is as it has to be; a `doubt` is worth a line of its own but stops nothing.

    A `minor` one only counts, where it is not asked for (by a dry run).
    """

    says: str
    doubt: bool = False
    minor: bool = False


class Course(msgspec.Struct, frozen=True):
    """What a running step is given: its deadline (monotonic clock), a way to tell how it goes, and whether to stop.

    `again`: a run that was cut short may have applied the step already, in part or in whole.
    """

    deadline: float
    report: Callable[[str], None]
    stop: Callable[[], bool]
    again: bool

    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())


class Step(ABC):
    """Every method may be called again after a crash: each brings about its end state from wherever it finds things.

    `name` is a few words for a line of progress; `timeout_s` bounds applying and undoing. A step that `settles` makes
    what runs follow what is on disk: in an undo it comes after the steps that put things back, not before. One that
    `stops` the service (also when it is undone) is followed on the way back by every step that settles, begun or not.
    One that leaves nothing to undo says so by `undoes` being empty.

    `apply`, `verify` and `undo` raise TargetError (StepFailed for what the step itself found wrong).
    """

    name: str
    timeout_s: float = 60.0
    settles: bool = False
    stops: bool = False

    @property
    @abstractmethod
    def commands(self) -> tuple[str, ...]:
        """What it does, as command lines or in words, for the plan and the journal."""

    @property
    @abstractmethod
    def undoes(self) -> str:
        """What undoing it does, in one line; empty where there is nothing to undo."""

    @abstractmethod
    def preflight(self) -> list[Finding]:
        """Look, without changing anything, whether the step will be possible. Raises Refused."""

    @abstractmethod
    def apply(self, course: Course, /) -> None:
        """Bring about the end state."""

    @abstractmethod
    def verify(self) -> str:
        """The evidence that the end state is there. Raises StepFailed when it is not."""

    @abstractmethod
    def undo(self, course: Course, /) -> str:
        """Bring back the state before, and verify it; the evidence."""
