"""What a fault is: a named way to break a stack, that proves that it landed and can be undone exactly."""

from pathlib import Path

import msgspec

from drills.stacks.errors import StackError
from drills.stacks.stack import Stack
from rollback.catalogue import OFFERS

STACKS = ("processes", "containers")


class FaultError(StackError):
    """A fault cannot be injected or healed, or it was injected and did not land."""


class Place(msgspec.Struct, frozen=True):
    """Where a fault is at work: the stack, and a folder of the fault's own for what `heal` needs."""

    stack: Stack
    saved: Path


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault. `cure` is the rollback action that mends it, None where none does; `part` is what it breaks, and two
    faults that break the same part cannot be active together.

    `must` are the criteria that have to fail while it is active, `may` those that can besides; any other that fails
    is a false alarm. `shows` narrows which of them a verdict has to name first. `scenario` is the runbook's (1 to 3),
    as triage has to name it; None where it stays below every trigger. `stacks` are those that it can be made on.
    `budget` is how many requests a run of the checks needs to tell it, None where those that a target allows by itself
    are enough; with fewer its criteria stay inconclusive, which is no pass.
    `alone` says that nothing may go on beside it: a neighbour would change by how much it shows, or be slowed by it.
    `restart` says that a plain restart of the service mends it too, and that this is what triage has to name.
    `root` says whether only root can make it.

    `heal` may be called after any of the others was cut short, and more than once.
    """

    name: str
    says: str
    part: str
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    scenario: int | None = None
    cure: str | None = None
    stacks: tuple[str, ...] = STACKS
    budget: int | None = None
    restart: bool = False
    alone: bool = False
    root: bool = False

    @property
    def first(self) -> tuple[str, ...]:
        """The criteria, the first of which that a verdict names is among these."""
        return self.shows or self.must

    @property
    def level(self) -> int | None:
        """The level of the runbook that cures it, 0 for data recovery; None where no rollback does."""
        return OFFERS[self.cure].level if self.cure else None

    @property
    def family(self) -> str:
        """The kind of thing that is broken; the name of the module, or of the folder of modules."""
        return type(self).__module__.split(".")[2]

    def target_file(self, stack: Stack) -> Path:
        """The target file of the deployment that it breaks; that is brought up and recorded first where it is not."""
        return stack.layout.target_file

    def prepare(self, at: Place) -> None:
        """Set aside what healing needs; nothing is changed yet."""

    def inject(self, at: Place) -> None:
        """Break it."""
        raise NotImplementedError

    def landed(self, at: Place) -> str:
        """Evidence from the broken part itself. Raises FaultError when it is not broken."""
        raise NotImplementedError

    def heal(self, at: Place) -> None:
        """Put back what was there and wait until the part answers again."""
        raise NotImplementedError


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as the list tells of it: what `Fault` says, and the criteria that must not fail while it is active."""

    name: str
    family: str
    says: str
    part: str
    scenario: int | None
    level: int | None
    cure: str | None
    restart: bool
    must: tuple[str, ...]
    may: tuple[str, ...]
    must_not: tuple[str, ...]
    first: tuple[str, ...]
    stacks: tuple[str, ...]
    budget: int | None
    alone: bool
    root: bool
