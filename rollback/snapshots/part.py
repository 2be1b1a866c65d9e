"""A part of a snapshot: one thing that an action can go back to later."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from rollback.site import Site


class Part(ABC):
    """One part. `name` is its word on the command line and in the output.

    Every part is taken beside the backups that are there, verified, and only then made one of them by a rename (or
    what does the same in a store), so that a snapshot that fails leaves them as they were.
    """

    name: str

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def lacks(self) -> str:
        """The key of the target file without which it cannot be taken; empty when it can."""

    @abstractmethod
    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        """Take and verify it; what was taken and where it is, in one line. Raises TargetError with nothing replaced.

        `stamp` is the time of the snapshot (`20261123T140210Z`, UTC), for names.
        """

    @abstractmethod
    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` of this part's backups, never the last one; the names of what is gone."""
