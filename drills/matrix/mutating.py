"""Taking the mutants: each fault is injected once, and the broken checks that it serves are run against it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drills.faults import active, catalogue
from drills.faults.fault import Fault
from drills.matrix import mutants
from drills.matrix.mutant import KINDS
from drills.matrix.mutants import Mutant, Mutants
from drills.matrix.revision import commit
from drills.matrix.row import Row, read
from drills.matrix.stage import Tidy, checks_of, judge, staged, told
from drills.matrix.worker import now
from drills.matrix.workplace import alone, keep_logs, note, noted
from drills.stacks.errors import StackError
from drills.stacks.kinds import Say
from drills.stacks.stack import Stack


def mutate(
    rows: Sequence[Row], criteria: Sequence[str], kind: str, folder: Path, say: Say, *, resume: bool
) -> Mutants:
    """Break every decision that a row shows to be right, and say what the matrix makes of it.

    Raises StackError: the stack does not come up, or is not healed of a fault.
    """
    began, at = time.monotonic(), commit()
    kept = folder / "mutants.jsonl"
    with alone(folder, say):
        if not resume:
            kept.unlink(missing_ok=True)
        done = _done(kept)
        wanted = mutants.plan(rows, criteria)
        left = {
            fault: missing
            for fault, of in wanted.items()
            if (missing := tuple(name for name in of if any((name, how) not in done for how in KINDS)))
        }
        if left:
            log = folder / "stack-1.log"
            with (
                log.open("a", encoding="utf-8") as to,
                staged(folder / "stack-1", kind, lambda line: print(line, file=to, flush=True)) as stack,
            ):
                for number, (fault, of) in enumerate(left.items(), 1):
                    say(f"[{number}/{len(left)}] {fault}: {', '.join(of)}")
                    for mutant in _against(stack, catalogue.find(fault), of, folder / "runs"):
                        done[mutant.criterion, mutant.kind] = mutant
                        note(mutant, kept)
                        say(f"  {line_of(mutant)}")
            keep_logs(folder / "stack-1")
    found = Mutants(
        stack=kind,
        commit=at,
        taken_at=now(),
        seconds=round(time.monotonic() - began, 1),
        mutants=tuple(done.values()),
    )
    return mutants.merged(None, found, criteria)


def _against(stack: Stack, fault: Fault, criteria: tuple[str, ...], runs: Path) -> Iterator[Mutant]:
    """The mutants of these criteria. One that its own checks alone do not see broken is judged with all checks."""
    active.inject(stack, fault.name)
    try:
        folder = runs / f"{fault.name}-mutants"
        alone = _judged(stack, fault, checks_of(criteria), folder / "whole")
        unseen = {name for name in criteria if mutants.outcome(alone, name) != "fail" and not alone.trouble}
        together = _judged(stack, fault, (), folder / "all") if unseen else alone
        for name in criteria:
            whole, checks = (together, ()) if name in unseen else (alone, checks_of([name]))
            for how in KINDS:
                mutant = Mutant(criterion=name, kind=how, fault=fault.name)
                yield _one(stack, fault, mutant, whole, checks, folder)
    finally:
        active.heal(stack, fault.name)
        stack.wait_service()


def _one(
    stack: Stack, fault: Fault, mutant: Mutant, whole: Row, checks: tuple[str, ...], folder: Path
) -> Mutant:
    said = mutants.outcome(whole, mutant.criterion)
    mutant = msgspec.structs.replace(mutant, whole=said)
    if said != "fail":
        trouble = whole.trouble or f"not broken, it is {said}, by its own check alone and by all of them"
        return msgspec.structs.replace(mutant, trouble=trouble)
    orders = mutants.order(mutant.kind, mutant.criterion)
    row = _judged(stack, fault, checks, folder / f"{mutant.criterion}-{mutant.kind}", orders)
    return msgspec.structs.replace(mutants.told(mutant, row), seconds=row.verdict_s or 0.0)


def _judged(
    stack: Stack, fault: Fault, checks: tuple[str, ...], folder: Path, orders: dict[str, str] | None = None
) -> Row:
    judged = judge(
        stack,
        folder,
        checks=checks,
        budget=fault.budget,
        plugins=orders,
        target_file=fault.target_file(stack),
    )
    return told(Row(fault=fault.name, family=fault.family), judged, Tidy(stack))


def line_of(mutant: Mutant) -> str:
    """A mutant in a line."""
    what = f"{mutant.criterion} {mutant.kind}"
    if mutant.trouble:
        return f"? {what}: {mutant.trouble}"
    return f"{'✓' if mutant.noticed else '✗'} {what}: says {mutant.outcome} · {mutant.seconds:.0f} s"


def _done(path: Path) -> dict[tuple[str, str], Mutant]:
    return {(mutant.criterion, mutant.kind): mutant for mutant in noted(path, Mutant) if not mutant.trouble}


def rows_of(folder: Path, kept: Path) -> Sequence[Row]:
    """The rows taken in the folder, else those that the repository keeps. Raises StackError: there are none."""
    rows = list({row.fault: row for row in noted(folder / "rows.jsonl", Row)}.values())
    matrix = read(kept)
    if not rows and matrix is None:
        raise StackError("there is no matrix whose mutants could be tried; take it: python -m drills matrix")
    return rows or (matrix.rows if matrix else ())
