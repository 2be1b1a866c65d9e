"""A matrix as it is told: its criteria by kind, what each cell means, its holes and its exit code."""

from collections.abc import Iterable

import msgspec

from checks.criterion import Criterion
from checks.criterion import criteria as all_criteria
from drills.matrix.elsewhere import Elsewhere, elsewhere
from drills.matrix.judgement import exit_code, of_criteria, of_row
from drills.matrix.row import HEALTHY, Hole, Matrix, Row

CAUGHT, COULD, ALARM, SILENT, UNKNOWN, PASSED, NOT_THERE = "#", "+", "!", "o", "?", ".", " "
SIGNS = {
    CAUGHT: "failed, as it has to",
    COULD: "failed, as it may",
    ALARM: "false alarm",
    SILENT: "false silence",
    UNKNOWN: "could not tell",
    PASSED: "passed",
    NOT_THERE: "does not apply",
}


class Report(msgspec.Struct, frozen=True):
    """`criteria` in the order of criteria.yaml; `whole` when every fault of the stack was wanted."""

    criteria: tuple[Criterion, ...]
    elsewhere: dict[str, Elsewhere]
    holes: list[Hole]
    missing: tuple[str, ...]
    whole: bool
    exit_code: int

    @property
    def kinds(self) -> dict[str, list[Criterion]]:
        """The criteria of each kind."""
        found: dict[str, list[Criterion]] = {}
        for criterion in self.criteria:
            found.setdefault(criterion.kind, []).append(criterion)
        return found


def report(matrix: Matrix, *, whole: bool, wanted: Iterable[str]) -> Report:
    """Judge a matrix. A criterion that no fault turns red is a hole only where the whole catalogue was wanted."""
    names = tuple(wanted)
    known = tuple(all_criteria({}, where="the matrix").values())
    apart = elsewhere(matrix.stack)
    holes = [hole for row in matrix.rows for hole in of_row(row)]
    there = {row.fault for row in matrix.rows}
    missing = tuple(name for name in names if name not in there)
    if whole:
        holes += of_criteria(matrix.rows, [criterion.name for criterion in known], apart)
    return Report(known, apart, holes, missing, whole, exit_code(holes, matrix.rows, wanted=names))


def judged(matrix: Matrix, report: Report) -> Matrix:
    """The matrix with what was found of it, to be written."""
    return msgspec.structs.replace(matrix, holes=tuple(report.holes), exit_code=report.exit_code)


def sign(row: Row, criterion: str) -> str:
    """What a cell shows."""
    if criterion in row.failed:
        return CAUGHT if criterion in row.must else COULD if criterion in row.may else ALARM
    if criterion in row.silent and not row.trouble:
        return SILENT
    if criterion in row.passed:
        return PASSED
    return NOT_THERE if criterion in row.not_applicable else UNKNOWN


def label(row: Row) -> str:
    """What a row is called: its fault, or the fault after which the stack has to be healthy."""
    return f"{row.fault}, after {row.after}" if row.fault == HEALTHY and row.after else row.fault


def ending(matrix: Matrix, report: Report) -> str:
    """The last line: how many rows, holes and inconclusive ones, in how long, and the verdict."""
    faults = [row for row in matrix.rows if row.family]
    asked = len(report.criteria) - len(report.elsewhere)
    what = _count(len(faults), "fault")
    what = f"{what} × {asked} criteria" if report.whole else f"a part: {what}"
    troubled = sum(bool(row.trouble) for row in faults) + len(report.missing)
    verdict = {0: "NO HOLE", 1: "HOLES", 6: "INCONCLUSIVE"}[report.exit_code]
    times = sorted(row.verdict_s for row in faults if row.verdict_s is not None)
    noticed = f" · noticed in {times[len(times) // 2]:.0f} s (slowest {times[-1]:.0f} s)" if times else ""
    return (
        f"{verdict} · {what} · {_count(len(report.holes), 'hole')}, {troubled} inconclusive{noticed} · "
        f"{matrix.seconds / 60:.1f} min"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
