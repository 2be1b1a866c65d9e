"""The matrix on a terminal, in a hundred columns without colour or Unicode letters that it hangs on."""

import textwrap

from drills.matrix.report import SIGNS, Report, ending, label, sign
from drills.matrix.row import Matrix, Row

WIDTH = 100
_NAME = 33
_SECONDS = 6


def line_of(row: Row) -> str:
    """A row in a line, as it comes."""
    if row.trouble:
        return f"? {row.fault}: {row.trouble}"
    caught, missed, wrong = row.caught_by, row.silent, row.alarms
    more = f" and {len(caught) - 1} more" if caught[1:] else ""
    parts = [f"caught by {caught[0]}{more}" if caught else "NOT CAUGHT"]
    parts += [f"silent: {', '.join(missed)}"] if missed and caught else []
    parts += [f"false alarm: {', '.join(wrong)}"] if wrong else []
    mark = "✓" if caught and not missed and not wrong else "✗"
    return f"{mark} {row.fault}: {'; '.join(parts)} · {row.seconds:.0f} s"


def text(matrix: Matrix, report: Report) -> str:
    """The whole table: a line a fault, a column a criterion, then what is wrong, then the verdict."""
    kinds = report.kinds
    heads = [kind[: len(of)].ljust(len(of)) for kind, of in kinds.items()]
    lines = ["", f"{'':<{_NAME}} {' '.join(heads)} {'s':>{_SECONDS}}"]
    for row in matrix.rows:
        cells = ["".join(sign(row, each.name) for each in of) for of in kinds.values()]
        seconds = "" if row.verdict_s is None else f"{row.verdict_s:.1f}"
        lines.append(f"{_cut(label(row)):<{_NAME}} {' '.join(cells)} {seconds:>{_SECONDS}}")
    lines += [
        "",
        _wrapped(" · ".join(f"{mark.strip() or 'blank'} {means}" for mark, means in SIGNS.items())),
        "",
    ]
    lines += [_wrapped(f"  {kind:<12}{', '.join(each.name for each in of)}") for kind, of in kinds.items()]
    lines += _apart(report)
    lines += _wrong(matrix, report)
    return "\n".join([*lines, "", ending(matrix, report)])


def _apart(report: Report) -> list[str]:
    if not report.elsewhere:
        return []
    told = [_wrapped(f"  {name}: {each.why}; red in {each.shown}") for name, each in report.elsewhere.items()]
    return ["", "not to be had on this stack:", *told]


def _wrong(matrix: Matrix, report: Report) -> list[str]:
    lines: list[str] = []
    troubled = [row for row in matrix.rows if row.trouble]
    if troubled or report.missing:
        lines += ["", "inconclusive:"]
        lines += [_wrapped(f"? {label(row)}: {row.trouble}") for row in troubled]
        lines += [f"? {name}: not taken" for name in report.missing]
    if report.holes:
        lines += ["", "holes:"]
        lines += [_wrapped(f"✗ {hole.of}: {hole.kind}: {hole.what}") for hole in report.holes]
    return lines


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
