"""Where the drills of a run take place: a stack that runs already, or one of their own, which goes with them."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from drills.operator import REPOSITORY
from drills.stacks import kinds
from drills.stacks.commands import tethered
from drills.stacks.errors import StackError
from drills.stacks.layout import AUTO
from drills.stacks.lock import held
from drills.stacks.stack import Stack

OWN = REPOSITORY / ".drills"
_UP_S = 300.0
_DOWN_S = 90.0


def lock_of(folder: Path) -> Path:
    """The file that a run holds while the stack in the folder is its own."""
    return folder.with_name(f"{folder.name}.lock")


def sweep() -> list[str]:
    """Remove what killed commands have left: stacks that were being made, and those of runs that are no more.

    What was removed. Raises StackError when something cannot be removed.
    """
    return [*_of_killed_runs(), *kinds.sweep()]


def _of_killed_runs() -> Iterator[str]:
    for lock in sorted(OWN.rglob("*.lock")):
        folder = lock.with_suffix("")
        if not (folder / "stack.json").exists():
            continue
        busy = StackError("its run is alive")
        try:
            with held(lock, busy), closing(Stack.at(folder)) as stack:
                if stack.running():
                    stack.take_down()
                    yield f"the stack of {stack.kind} in {folder}, whose run was killed"
        except StackError as error:
            if error is not busy:
                raise


class Venue:
    """A stack for a `with` block. One of their own lies in `.drills/<kind>`, and is taken down at the end."""

    def __init__(
        self, kind: str, folder: Path | None, say: Callable[[str], None], own: Path | None = None
    ) -> None:
        """`folder` is of a stack that runs; None for one of their own, in `own` where that is to lie elsewhere.

        Raises StackError: it is of another kind.
        """
        self._own = folder is None
        self._say = say
        self._opened = False
        self._lock = ExitStack()
        if folder is None:
            self.kind = kinds.chosen(kind)
            self.folder = own or OWN / self.kind
            return
        self.folder = folder.resolve()
        with closing(Stack.running_at(self.folder)) as stack:
            self.kind = stack.kind
        if kind not in (AUTO, self.kind):
            raise StackError(f"the stack in {self.folder} is of {self.kind}, not of {kind}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._own and self._opened:
                self._down()

    def sweep(self) -> None:
        """Remove what killed commands have left; nothing where the stack is not their own."""
        for swept in sweep() if self._own else ():
            self._say(f"swept {swept}")

    def open(self) -> None:
        """Bring it up where it is their own; one that was left by a run that was killed goes first.

        Raises StackError: another run is at work there, or it does not come up.
        """
        if not self._own:
            return
        lock = lock_of(self.folder)
        lock.parent.mkdir(parents=True, exist_ok=True)
        busy = (
            f"another run has its stack in {self.folder}: wait for its end, or name one that is up with --dir"
        )
        self._lock.enter_context(held(lock, StackError(busy)))
        self._opened = True
        if (self.folder / "stack.json").exists():
            self._down()
        self._drills("up", _UP_S, "--stack", self.kind)

    def renew(self) -> None:
        """Another stack in place of one that a drill could not put right. Raises StackError for one not their own."""
        if not self._own:
            raise StackError(
                f"the stack in {self.folder} is not as it was; the drills end here. Bring up another: "
                f"python -m drills down --dir {self.folder}"
            )
        self._down()
        self._drills("up", _UP_S, "--stack", self.kind)

    def _down(self) -> None:
        self._drills("down", _DOWN_S)

    def _drills(self, verb: str, limit_s: float, *more: str) -> None:
        """`python -m drills <verb>`. Raises StackError with what it said."""
        words = [verb, *more, "--dir", str(self.folder)]
        self._say(f"$ python -m drills {shlex.join(words)}")
        command = [sys.executable, "-m", "drills", *words]
        try:
            done = subprocess.run(
                tethered(command, "TERM"),
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"`drills {verb}` was not done after {limit_s:.0f} s") from None
        if done.returncode != 0:
            raise StackError(
                f"`drills {verb}` ended with exit {done.returncode}:\n{done.stdout}{done.stderr}"
            )
