"""`python -m drills run`: the drills one after another on a stack, and the table of them."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drills import table
from drills.drill import Drill
from drills.faults.fault import Fault
from drills.operator import REPOSITORY
from drills.outcome import Drilled, Finding, exit_code
from drills.plan import chosen, not_rehearsed
from drills.runfolder import RunFolder
from drills.saying import to_errors, to_output
from drills.settle import alone, settle
from drills.stacks.containers.layout import ssh_target_file
from drills.stacks.errors import StackError
from drills.stacks.layout import CONTAINERS
from drills.stacks.stack import Stack
from drills.venue import Venue
from target.errors import TargetError

Say = Callable[[str], None]


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


def run(choice: Choice, interrupts: tuple[type[BaseException], ...]) -> int:
    """Drill what was chosen; 0 all passed, 1 any failed, 6 any inconclusive, 130 interrupted.

    Raises StackError: nothing could be drilled.
    """
    say: Say = to_errors if choice.json else to_output
    drilled: list[Drilled] = []
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
        venue.open()
        why = ""
        try:
            for fault in faults:
                drilled.append(_drill(venue, fault, drilled, say, ssh=choice.ssh))
        except TargetError as error:
            why = str(error)
        except interrupts:
            _tell(choice, venue.kind, drilled, _left(faults, drilled, "interrupted"))
            raise
        _tell(choice, venue.kind, drilled, _left(faults, drilled, why))
    return exit_code(drilled, complete=not why)


def _left(faults: Sequence[Fault], drilled: Sequence[Drilled], why: str) -> str:
    """What was not drilled, and why; empty where all was."""
    names = ", ".join(fault.name for fault in faults[len(drilled) :])
    return f"{why}; not drilled: {names}" if names else ""


def _drill(venue: Venue, fault: Fault, before: list[Drilled], say: Say, *, ssh: bool) -> Drilled:
    number = len(before) + 1
    say(f"{number} {fault.name}: {fault.says}")
    last = before[-1] if before else None
    if last is not None and (last.cleaned is None or not last.cleaned.holds):
        venue.renew()
    with closing(Stack.running_at(venue.folder)) as stack, alone(stack):
        try:
            target_file = fault.target_file(stack)
            if ssh and target_file == stack.layout.target_file:
                target_file = ssh_target_file(stack.layout)
        except TargetError as error:
            return _not_begun(stack, fault, str(error))
        steady = None
        if last is not None and last.verdict == "passed" and last.target == str(target_file):
            steady = Finding(True, f"proven by the drill before, {last.fault}")
        else:
            for done in settle(stack, target_file):
                say(f"  {done}")
        drilled = Drill(stack, fault, target_file, RunFolder(stack, fault.name), say, steady).carry_out()
    say(f"  {drilled.verdict} in {drilled.seconds:.0f} s · {_near(drilled.folder)}")
    return drilled


def _not_begun(stack: Stack, fault: Fault, why: str) -> Drilled:
    """A drill whose deployment there is not."""
    drilled = Drilled(
        fault=fault.name,
        family=fault.family,
        stack=stack.kind,
        target="",
        cure=fault.cure,
        level=fault.level,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        folder="",
        cleaned=Finding(True, "nothing was changed"),
        trouble=why.splitlines()[0],
    )
    drilled.judge()
    return drilled


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
    return msgspec.structs.replace(drill, folder=_near(drill.folder))


def _near(folder: str) -> str:
    path = Path(folder)
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else folder
