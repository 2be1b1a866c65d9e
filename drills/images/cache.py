"""The folder where what is slow to make stays between runs; the one that `.ci/engine` uses."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.stacks.errors import StackError
from target.wait import Seen, eventually

_WAIT_S = 1800.0


def folder() -> Path:
    """The folder; made where it is missing."""
    above = os.environ.get("XDG_CACHE_HOME")
    path = (Path(above) if above else Path.home() / ".cache") / "voice-v2-rollback"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else makes images on this machine meanwhile. Raises StackError after half an hour of waiting."""
    with (folder() / "images.lock").open("w") as lock:

        def look() -> Seen:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Seen(False, "another make images is at work")
            return Seen(True, "")

        waited = eventually(look, deadline_s=_WAIT_S)
        if not waited.met:
            raise StackError(f"{waited.seen}, for {waited.seconds:.0f} s now; wait for it, or end it")
        yield
