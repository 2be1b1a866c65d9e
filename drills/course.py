"""Drills one after another on one venue."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from drills.drill import Drill
from drills.faults.fault import Fault
from drills.operator import REPOSITORY
from drills.outcome import Drilled, Finding
from drills.runfolder import RunFolder
from drills.settle import alone, settle
from drills.stacks.containers.layout import ssh_target_file
from drills.stacks.kinds import Say
from drills.stacks.stack import Stack
from drills.venue import Venue
from target.errors import TargetError


class Course:
    """Drills on a venue that is open. What one leaves behind that is not as before, the next has not to do with."""

    def __init__(self, venue: Venue, say: Say, *, ssh: bool) -> None:
        """`ssh` has the host of the stack reached by ssh."""
        self._venue, self._say, self._ssh = venue, say, ssh
        self._last: Drilled | None = None

    def drill(self, fault: Fault) -> Drilled:
        """The next one. Raises StackError: the stack cannot be used, nor another be had."""
        last = self._last
        if last is not None and not sound(last):
            self._venue.renew()
        with closing(Stack.running_at(self._venue.folder)) as stack, alone(stack):
            self._last = self._drilled(stack, fault, last)
        return self._last

    def _drilled(self, stack: Stack, fault: Fault, last: Drilled | None) -> Drilled:
        try:
            target_file = fault.target_file(stack)
            if self._ssh and target_file == stack.layout.target_file:
                target_file = ssh_target_file(stack.layout)
        except TargetError as error:
            nothing = Finding(True, "nothing was changed")
            return not_drilled(fault, stack.kind, str(error).splitlines()[0], nothing)
        steady = None
        if last is not None and last.verdict == "passed" and last.target == str(target_file):
            steady = Finding(True, f"proven by the drill before, {last.fault}")
        else:
            for done in settle(stack, target_file):
                self._say(f"  {done}")
        return Drill(stack, fault, target_file, RunFolder(stack, fault.name), self._say, steady).carry_out()


def sound(last: Drilled) -> bool:
    """Whether the stack is fit for the next drill: it is as before the last one, and the checks were green then."""
    if last.cleaned is None or not last.cleaned.holds:
        return False
    judged = last.cured or last.steady
    return judged is None or bool(judged.holds)


def not_drilled(fault: Fault, kind: str, why: str, cleaned: Finding | None = None) -> Drilled:
    """A drill of which nothing is known but why; `cleaned` where that leaves the stack as it was."""
    return Drilled(
        fault=fault.name,
        family=fault.family,
        stack=kind,
        target="",
        cure=fault.cure,
        level=fault.level,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        folder="",
        cleaned=cleaned,
        trouble=why,
        why=(why,),
    )


def end_of(drilled: Drilled) -> str:
    """How it ended, in a line."""
    where = f" · {near(drilled.folder)}" if drilled.folder else ""
    return f"{drilled.verdict} in {drilled.seconds:.0f} s{where}"


def near(folder: str) -> str:
    """A folder as one names it from the repository."""
    path = Path(folder)
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else folder
