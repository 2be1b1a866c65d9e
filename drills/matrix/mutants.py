"""Breaking each check's decision, to show that the matrix goes red: which mutants, on which faults, and what of it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from drills.matrix.judgement import of_row
from drills.matrix.mutant import KINDS, ORDER
from drills.matrix.row import Row
from drills.stacks.errors import StackError

FORMAT = 1
PLUGIN = "drills.matrix.mutant"
TRY = "python -m drills matrix --mutate --keep FAULT"


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A check's decision, broken in one way, against one fault that turns its criterion red.

    `outcome` is what the broken check said, `whole` what it says when it is not broken, in the same selection.
    `noticed` is what the matrix makes of it: the hole; empty where it goes on as if nothing were wrong. `trouble` is
    why it could not be told.
    """

    criterion: str
    kind: str
    fault: str
    whole: str = ""
    outcome: str = ""
    noticed: str = ""
    trouble: str = ""
    seconds: float = 0.0


class Mutants(msgspec.Struct, frozen=True, kw_only=True):
    """All of them on one stack; commit, date (UTC) and seconds are those of the newest run in it."""

    schema: int = FORMAT
    stack: str
    commit: str
    taken_at: str
    seconds: float
    mutants: tuple[Mutant, ...]


def plan(rows: Iterable[Row], criteria: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each fault, the criteria whose mutants it serves: as few and as quick faults as a greedy choice finds.

    Only rows with a verdict count, and only the criteria that had to fail; what no row turns red is in none of them.
    """
    sound = [row for row in rows if not row.trouble and row.family]
    left = {name for name in criteria if any(_kills(row, name) for row in sound)}
    chosen: dict[str, tuple[str, ...]] = {}
    while left:
        best = max(
            sound, key=lambda row: (sum(_kills(row, name) for name in left) / (10.0 + row.seconds), row.fault)
        )
        served = tuple(name for name in best.must if name in left and _kills(best, name))
        chosen[best.fault] = served
        left -= set(served)
    return chosen


def _kills(row: Row, criterion: str) -> bool:
    return criterion in row.must and criterion in row.failed


def order(kind: str, criterion: str) -> dict[str, str]:
    """The plugin and its order, as `judge` takes them."""
    return {PLUGIN: f"{ORDER}={kind}:{criterion}"}


def told(mutant: Mutant, row: Row) -> Mutant:
    """The mutant with what a run of its check said, and whether the matrix would have noticed.

    The row is judged by the one criterion alone: a selection of the checks says nothing of the others.
    """
    if row.trouble:
        return msgspec.structs.replace(mutant, trouble=row.trouble)
    alone = msgspec.structs.replace(
        row,
        must=(mutant.criterion,),
        may=tuple(name for name in row.failed if name != mutant.criterion),
        first=(),
    )
    holes = of_row(alone)
    return msgspec.structs.replace(
        mutant,
        outcome=outcome(row, mutant.criterion),
        noticed="; ".join(f"{hole.kind}: {hole.what}" for hole in holes),
    )


def outcome(row: Row, criterion: str) -> str:
    """What a row says of a criterion, in a word."""
    if criterion in row.failed:
        return "fail"
    if criterion in row.inconclusive:
        return "inconclusive"
    return "pass" if criterion in row.passed else "not told"


def merged(kept: Mutants | None, new: Mutants, criteria: Iterable[str]) -> Mutants:
    """The new ones, and those kept of before that were not tried again; of criteria that there are."""
    order = {name: number for number, name in enumerate(criteria)}
    both = (*(kept.mutants if kept else ()), *new.mutants)
    found = {(mutant.criterion, mutant.kind): mutant for mutant in both if mutant.criterion in order}
    ordered = sorted(found.values(), key=lambda mutant: (order[mutant.criterion], mutant.kind))
    return msgspec.structs.replace(new, mutants=tuple(ordered))


def holes(mutants: Iterable[Mutant], criteria: Iterable[str], elsewhere: Mapping[str, object]) -> list[str]:
    """The mutants that the matrix does not notice, and the criteria of which a mutant is missing, in words."""
    found = []
    there = {(mutant.criterion, mutant.kind): mutant for mutant in mutants}
    for criterion in criteria:
        if criterion in elsewhere:
            continue
        for kind in KINDS:
            mutant = there.get((criterion, kind))
            if mutant is None:
                found.append(f"{criterion}: {kind}: not tried; with a fault that turns it red: {TRY}")
            elif not mutant.trouble and not mutant.noticed:
                found.append(
                    f"{criterion}: {kind}: not noticed with {mutant.fault} (it says {mutant.outcome})"
                )
    return found


def text(found: Mutants, holes: list[str]) -> str:
    """The table, criterion × killed by which fault; then what is wrong, then the verdict."""
    by: dict[str, dict[str, Mutant]] = {}
    for mutant in found.mutants:
        by.setdefault(mutant.criterion, {})[mutant.kind] = mutant
    lines = ["", f"{'criterion':<34}{KINDS[0]:<12}{KINDS[1]:<20}by the fault"]
    for criterion, of in by.items():
        cells = [_cell(of.get(kind)) for kind in KINDS]
        fault = next(iter(of.values())).fault
        lines.append(f"{criterion:<34}{cells[0]:<12}{cells[1]:<20}{fault}")
    troubled = [mutant for mutant in found.mutants if mutant.trouble]
    lines += [f"? {each.criterion}: {each.kind} with {each.fault}: {each.trouble}" for each in troubled]
    lines += [f"✗ {hole}" for hole in holes]
    noticed = sum(bool(mutant.noticed) for mutant in found.mutants)
    verdict = {0: "ALL NOTICED", 1: "HOLES", 6: "INCONCLUSIVE"}[exit_code(found.mutants, holes)]
    return "\n".join(
        [
            *lines,
            "",
            f"{verdict} · {noticed} of {len(found.mutants)} mutants noticed · {found.seconds / 60:.1f} min",
        ]
    )


def _cell(mutant: Mutant | None) -> str:
    if mutant is None:
        return "not tried"
    if mutant.trouble:
        return "?"
    return "noticed" if mutant.noticed else "NOT NOTICED"


def exit_code(mutants: Iterable[Mutant], found: list[str]) -> int:
    """0 every mutant noticed, 1 a hole, 6 no hole, but some could not be told."""
    if found:
        return 1
    return 6 if any(mutant.trouble for mutant in mutants) else 0


def write(mutants: Mutants, path: Path) -> None:
    """Write it atomically, a line a mutant. Raises OSError."""
    head = {name: value for name, value in msgspec.to_builtins(mutants).items() if name != "mutants"}
    lines = [json.dumps(msgspec.to_builtins(each), ensure_ascii=False) for each in mutants.mutants]
    text = json.dumps(head, ensure_ascii=False)[:-1] + ', "mutants": [\n' + ",\n".join(lines) + "\n]}\n"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def read(path: Path) -> Mutants | None:
    """What such a file holds, None where there is none. Raises StackError when it is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mutants)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StackError(f"{path} does not tell of mutants: {error}") from None
