"""What a fault is: a named way to break a stack, that proves that it landed and can be undone exactly."""

from pathlib import Path

import msgspec

from drills.stacks.errors import StackError
from drills.stacks.processes.stack import Stack


class FaultError(StackError):
    """A fault cannot be injected or healed, or it was injected and did not land."""


class Place(msgspec.Struct, frozen=True):
    """Where a fault is at work: the stack, and a folder of the fault's own for what `heal` needs."""

    stack: Stack
    saved: Path


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault. `cure` is the rollback action that mends it, None where none does; `part` is what it breaks, and two
    faults that break the same part cannot be active together. `shows` are criteria, the first of which that a
    verdict names is among these.

    `heal` may be called after any of the others was cut short, and more than once.
    """

    name: str
    says: str
    part: str
    shows: tuple[str, ...]
    cure: str | None = None

    @property
    def family(self) -> str:
        """The kind of thing that is broken; the name of the module."""
        return type(self).__module__.rpartition(".")[2]

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


class Entry(msgspec.Struct, frozen=True):
    """A fault as the list tells of it."""

    name: str
    family: str
    says: str
    cure: str | None
