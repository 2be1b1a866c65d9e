"""What bringing up a stack takes, of whichever kind: a folder of its own, a lease on it, and parts that wait."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TypeVar

from drills.stacks.errors import PortTakenError, StackError
from drills.stacks.layout import Layout
from target.errors import TargetError

_TRIES = 3
T = TypeVar("T")
Say = Callable[[str], None]


class Lease:
    """A lock on the folder of a stack. While it is unsettled, the stack dies with whoever holds it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._descriptor = os.open(layout.root, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StackError(
                f"{layout.root} is being worked on by another `up`; wait for it to end"
            ) from None

    def settle(self) -> None:
        """From now on the stack outlives this process."""
        self._layout.settled.touch()

    def release(self) -> None:
        """Let go of the folder."""
        os.close(self._descriptor)


def all_of(futures: Sequence["Future[None]"]) -> None:
    """Wait for all; the first that fails ends the wait with its error."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def complaint(ask: Callable[[], object]) -> str | None:
    """What it raises when it is asked, None when nothing."""
    try:
        ask()
    except TargetError as error:
        return str(error)
    return None


def check_folder(layout: Layout) -> None:
    """Raises StackError when the folder holds what is not a stack's."""
    if not layout.root.exists():
        return
    if not layout.root.is_dir():
        raise StackError(f"{layout.root} is not a folder; name another with --dir")
    if any(layout.root.iterdir()) and not layout.stack_file.exists():
        raise StackError(
            f"{layout.root} is not empty and not a stack's; name an empty or a new folder with --dir"
        )


def clear(layout: Layout) -> None:
    """Remove what an earlier stack left in the folder."""
    for path in layout.own():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def with_free_ports(layout: Layout, attempt: Callable[[], T], say: Say) -> T:
    """What the attempt makes, in a cleared folder; once more where a port that it had chosen was taken meanwhile."""
    for number in range(1, _TRIES + 1):
        clear(layout)
        try:
            return attempt()
        except PortTakenError as error:
            if number == _TRIES:
                raise
            say(f"  a port was taken meanwhile, once more with others ({str(error).splitlines()[0]})")
    raise AssertionError("the last attempt returns or raises")
