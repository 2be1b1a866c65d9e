"""Healthy runs: how often the operator's command alarms at a stack in which nothing is broken."""

from math import comb
from pathlib import Path

import msgspec

from drills.matrix.revision import commit
from drills.matrix.row import Row
from drills.matrix.stage import healthy, staged
from drills.matrix.worker import now
from drills.matrix.workplace import alone, keep_logs, note, noted
from drills.stacks.kinds import Say

FORMAT = 1
CONFIDENCE = 0.95


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """`runs` healthy runs were taken; those that were not silent are in `loud`, with what they said.

    `alarms` is how many of them failed a criterion, `undecided` how many could not tell one. `bound` is the rate of
    false alarms that is excluded with 95 % confidence by the runs that were decided. Commits and dates of the runs.
    """

    schema: int = FORMAT
    stack: str
    commits: tuple[str, ...]
    first: str
    last: str
    runs: int
    alarms: int
    undecided: int
    bound: float
    seconds: float
    loud: tuple[Row, ...]


def take(runs: int, kind: str, folder: Path, say: Say, *, resume: bool) -> Quiet:
    """As many healthy runs in all, each noted as it comes. Raises StackError: the stack does not come up."""
    taken_file = folder / "quiet.jsonl"
    at = commit()
    with alone(folder, say):
        if not resume:
            taken_file.unlink(missing_ok=True)
        taken = noted(taken_file, Row)
        if len(taken) < runs:
            with (
                (folder / "stack-1.log").open("a", encoding="utf-8") as log,
                staged(folder / "stack-1", kind, lambda line: print(line, file=log, flush=True)) as stack,
            ):
                while len(taken) < runs:
                    row = msgspec.structs.replace(healthy(stack, folder / "run"), commit=at, taken_at=now())
                    note(row, taken_file)
                    taken.append(row)
                    say(f"[{len(taken)}/{runs}] {line_of(row)}")
            keep_logs(folder / "stack-1")
    return of(taken, kind)


def of(taken: list[Row], kind: str) -> Quiet:
    """What the runs say together."""
    undecided = sum(bool(row.trouble) and not row.failed for row in taken)
    alarms = sum(bool(row.failed) for row in taken)
    decided = len(taken) - undecided
    return Quiet(
        stack=kind,
        commits=tuple(dict.fromkeys(row.commit for row in taken)),
        first=taken[0].taken_at,
        last=taken[-1].taken_at,
        runs=len(taken),
        alarms=alarms,
        undecided=undecided,
        bound=round(upper_bound(alarms, decided), 6),
        seconds=round(sum(row.verdict_s or 0.0 for row in taken), 1),
        loud=tuple(row for row in taken if row.failed or row.trouble),
    )


def upper_bound(failures: int, n: int) -> float:
    """The exact one-sided 95 % upper bound of a rate (Clopper and Pearson): 0 of 300 → 0.00994; 1 where n is 0."""
    if failures >= n:
        return 1.0
    low, high = failures / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        at_most = sum(comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(failures + 1))
        low, high = (middle, high) if at_most > 1 - CONFIDENCE else (low, middle)
    return high


def line_of(row: Row) -> str:
    """A run in a line."""
    if row.failed:
        return "✗ " + "; ".join(f"{name}: {told}" for name, told in row.failed.items())
    return f"? {row.trouble}" if row.trouble else f"✓ silent · {row.verdict_s:.1f} s"


def text(quiet: Quiet) -> str:
    """What was not silent, then the verdict."""
    lines = [f"{row.taken_at} {line_of(row)}" for row in quiet.loud]
    verdict = {0: "SILENT", 1: "FALSE ALARMS", 6: "INCONCLUSIVE"}[exit_code(quiet)]
    told = f"{quiet.alarms} false alarms in {quiet.runs} healthy runs, {quiet.undecided} could not tell"
    return "\n".join(
        [*lines, "", f"{verdict} · {told} · with 95 % confidence fewer than {quiet.bound:.2%} alarm"]
    )


def exit_code(quiet: Quiet) -> int:
    """0 all silent, 1 a false alarm, 6 none, but some could not tell."""
    return 1 if quiet.alarms else 6 if quiet.undecided else 0


def write(quiet: Quiet, path: Path) -> None:
    """Write it atomically. Raises OSError."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(quiet), indent=2) + b"\n")
    temporary.replace(path)
