"""A lock on a file of a stack, for what only one may do at a time; nobody waits for it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.stacks.errors import StackError


@contextmanager
def held(file: Path, busy: StackError) -> Iterator[None]:
    """The lock, for a `with` block; it falls free also with a process that dies. Raises `busy` where another has it."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
