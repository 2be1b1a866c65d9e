"""Where the drills of a run take place: a stack that runs already, or one of their own, which goes with them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from drills.operator import REPOSITORY
from drills.stacks.commands import tethered
from drills.stacks.errors import StackError

PROCESSES, CONTAINERS, AUTO = "processes", "containers", "auto"
OWN = REPOSITORY / ".drills"
_UP_S = 300.0
_DOWN_S = 90.0


class Venue:
    """A stack for a `with` block. One of their own lies in `.drills/<kind>`, and is taken down at the end."""

    def __init__(self, kind: str, folder: Path | None, say: Callable[[str], None]) -> None:
        if kind == CONTAINERS:
            raise StackError("the stack containers cannot be brought up here; drill on --stack processes")
        self.kind = PROCESSES
        self._own = folder is None
        self.folder = (folder or OWN / self.kind).resolve()
        self._say = say
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own and self._opened:
            self._down()

    def open(self) -> None:
        """Bring it up where it is their own; one that was left by a run that was killed goes first."""
        if not self._own:
            return
        self._opened = True
        if (self.folder / "stack.json").exists():
            self._down()
        self._drills("up", _UP_S)

    def renew(self) -> None:
        """Another stack in place of one that a drill could not put right. Raises StackError for one not their own."""
        if not self._own:
            raise StackError(
                f"the stack in {self.folder} is not as it was; the drills end here. Bring up another: "
                f"python -m drills down --dir {self.folder}"
            )
        self._down()
        self._drills("up", _UP_S)

    def _down(self) -> None:
        self._drills("down", _DOWN_S)

    def _drills(self, verb: str, limit_s: float) -> None:
        """`python -m drills <verb>`. Raises StackError with what it said."""
        self._say(f"$ python -m drills {verb} --dir {self.folder}")
        command = [sys.executable, "-m", "drills", verb, "--dir", str(self.folder)]
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
