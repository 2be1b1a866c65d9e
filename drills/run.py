"""`python -m drills run`: the drills one after another on a stack, or side by side, and the table of them."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from drills import table
from drills.course import Course, end_of, near
from drills.faults.fault import Fault
from drills.outcome import Drilled, exit_code
from drills.plan import chosen, not_rehearsed
from drills.saying import to_errors, to_output
from drills.side_by_side import SideBySide
from drills.stacks.errors import StackError
from drills.stacks.kinds import Say
from drills.stacks.layout import CONTAINERS
from drills.venue import Venue
from target.errors import TargetError


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; `folder` is of a stack that runs, None for one of its own."""

    stack: str
    family: str | None
    names: Sequence[str]
    every: bool
    each_family: bool
    folder: Path | None
    json: bool
    ssh: bool
    jobs: int


def run(choice: Choice, interrupts: tuple[type[BaseException], ...]) -> int:
    """Drill what was chosen; 0 all passed, 1 any failed, 6 any inconclusive, 130 interrupted.

    Raises StackError: nothing could be drilled.
    """
    say = to_errors if choice.json else to_output
    drilled: list[Drilled] = []
    if choice.jobs > 1 and choice.folder is not None:
        raise StackError(f"--jobs {choice.jobs} brings up a stack for each; leave --dir out, or --jobs")
    with Venue(choice.stack, choice.folder, say) as venue:
        if choice.ssh and venue.kind != CONTAINERS:
            raise StackError(f"a stack of {venue.kind} has no host to reach by ssh; --stack containers has")
        faults = chosen(
            choice.names,
            choice.family,
            every=choice.every,
            stack=venue.kind,
            each_family=choice.each_family,
        )
        order = [fault.name for fault in faults]

        def tell(why: str) -> None:
            drilled.sort(key=lambda drill: order.index(drill.fault))
            _tell(choice, venue.kind, drilled, _left(faults, drilled, why))

        venue.sweep()
        why = ""
        try:
            if choice.jobs > 1:
                SideBySide(faults, venue.kind, drilled, choice.jobs, say, ssh=choice.ssh).drill()
            else:
                venue.open()
                _one_by_one(venue, faults, drilled, say, ssh=choice.ssh)
        except TargetError as error:
            if not drilled:
                raise
            why = str(error)
        except interrupts:
            tell("interrupted")
            raise
        tell(why)
    return exit_code(drilled, complete=not why)


def _one_by_one(
    venue: Venue, faults: Sequence[Fault], drilled: list[Drilled], say: Say, *, ssh: bool
) -> None:
    course = Course(venue, say, ssh=ssh)
    for number, fault in enumerate(faults, 1):
        say(f"{number} {fault.name}: {fault.says}")
        drilled.append(course.drill(fault))
        say(f"  {end_of(drilled[-1])}")


def _left(faults: Sequence[Fault], drilled: Sequence[Drilled], why: str) -> str:
    """What was not drilled, and why; empty where all was."""
    done = {drill.fault for drill in drilled}
    names = ", ".join(fault.name for fault in faults if fault.name not in done)
    return f"{why}; not drilled: {names}" if names else ""


def _tell(choice: Choice, kind: str, drilled: list[Drilled], left: str) -> None:
    notes = [left] if left else []
    if not (choice.names or choice.family or choice.each_family) and (missing := not_rehearsed(kind)):
        notes.append(f"not rehearsed on the stack {kind}, for want of a fault there: {', '.join(missing)}")
    if choice.json:
        data = {
            "stack": kind,
            "exit_code": exit_code(drilled, complete=not left),
            "drills": drilled,
            "notes": notes,
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(data)).decode() + "\n")
        sys.stdout.flush()
    else:
        table.show([_shown(drill) for drill in drilled], notes)


def _shown(drill: Drilled) -> Drilled:
    return msgspec.structs.replace(drill, folder=near(drill.folder))
