"""What faults of changed code have in common: a file of the package is not that of its release."""

import shutil
from pathlib import Path

from drills.faults.fault import Fault, FaultError, Place
from drills.faults.virtualenv import clear_away
from drills.stacks.releases import PACKAGE
from drills.stacks.stack import Stack


class ChangedOnHost(Fault, frozen=True, kw_only=True):
    """A file of the package says something else than its release, and the service was restarted with it."""

    file: Path

    def changed(self, text: str) -> str:
        """What the file says instead. Raises FaultError: it does not say what is to be changed."""
        raise NotImplementedError

    def prepare(self, at: Place) -> None:
        shutil.copy2(self._path(at), at.saved / self.file.name)

    def inject(self, at: Place) -> None:
        path = self._path(at)
        path.write_text(self.changed(path.read_text("utf-8")), "utf-8")
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        if self._path(at).read_bytes() == (at.saved / self.file.name).read_bytes():
            raise FaultError(f"{self.name}: {self.file} is what it was")
        at.stack.wait_service(status=None)
        return self.seen(at.stack)

    def seen(self, stack: Stack) -> str:
        """What the changed service does wrong. Raises FaultError: nothing."""
        raise NotImplementedError

    def heal(self, at: Place) -> None:
        shutil.copy2(at.saved / self.file.name, self._path(at))
        at.stack.restart_service()
        clear_away_code(at.stack)

    def _path(self, at: Place) -> Path:
        return at.stack.layout.service / PACKAGE / self.file


def clear_away_code(stack: Stack) -> None:
    """Remove what rollbacks have set aside of the code: a drill has seen it."""
    for live in (PACKAGE, "requirements.txt"):
        clear_away(stack.layout.service / live)


def edited(text: str, old: str, new: str) -> str:
    """The source with the one text replaced by the other. Raises FaultError: it is not there, or more than once."""
    if text.count(old) != 1:
        raise FaultError(f"{old!r} is not once in the source that a fault edits")
    return text.replace(old, new)
