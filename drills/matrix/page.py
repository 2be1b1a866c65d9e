"""The matrix as a page: one file without scripts that opens offline. Everything in it is escaped."""

from html import escape
from pathlib import Path
from string import Template

from drills.matrix.report import (
    ALARM,
    CAUGHT,
    COULD,
    NOT_THERE,
    PASSED,
    SIGNS,
    SILENT,
    UNKNOWN,
    Report,
    ending,
    label,
    sign,
)
from drills.matrix.row import Matrix, Row

_PAGE = Path(__file__).with_name("page.html")
_CLASSES = {
    CAUGHT: "caught",
    COULD: "could",
    ALARM: "alarm",
    SILENT: "silent",
    UNKNOWN: "unknown",
    PASSED: "passed",
    NOT_THERE: "notthere",
}


def html(matrix: Matrix, report: Report) -> str:
    """The page."""
    facts = (
        f"commit {matrix.commit} · {matrix.taken_at} · {matrix.cores} cores · stacks at a time: {matrix.jobs}"
    )
    return Template(_PAGE.read_text("utf-8")).substitute(
        title=escape(f"Detection matrix, stack {matrix.stack}"),
        facts=escape(facts),
        exit=report.exit_code,
        ending=escape(ending(matrix, report)),
        wrong=_wrong(matrix, report),
        keys="".join(f'<span class="{_CLASSES[mark]}">{mark}</span>{means}' for mark, means in SIGNS.items()),
        heads=_heads(report),
        rows="\n".join(_row(row, report) for row in matrix.rows),
        evidence="\n".join(_evidence(row) for row in matrix.rows),
        apart=_apart(report),
    )


def _heads(report: Report) -> str:
    kinds = report.kinds.items()
    groups = "".join(f'<th class="edge" colspan="{len(of)}">{escape(kind)}</th>' for kind, of in kinds)
    names = "".join(
        f'<th class="turned{"" if number else " edge"}"><span>{escape(each.name)}</span></th>'
        for _, of in kinds
        for number, each in enumerate(of)
    )
    return f'<tr><th></th>{groups}<th></th></tr><tr><th class="fault">fault</th>{names}<th>s</th></tr>'


def _row(row: Row, report: Report) -> str:
    cells = []
    for of in report.kinds.values():
        for number, each in enumerate(of):
            mark = sign(row, each.name)
            told = row.failed.get(each.name) or row.inconclusive.get(each.name) or SIGNS[mark]
            edge = "" if number else " edge"
            title = escape(f"{each.name}: {told}", quote=True)
            cells.append(f'<td class="cell {_CLASSES[mark]}{edge}" title="{title}">{escape(mark)}</td>')
    seconds = "" if row.verdict_s is None else f"{row.verdict_s:.1f}"
    return f'<tr><th class="fault">{escape(label(row))}</th>{"".join(cells)}<td class="n">{seconds}</td></tr>'


def _evidence(row: Row) -> str:
    told = "<br>".join(f"<b>{escape(name)}</b>: {escape(text)}" for name, text in row.failed.items())
    seconds = "" if row.verdict_s is None else f"{row.verdict_s:.1f} s"
    return (
        f'<tr><td class="text wrap">{escape(label(row))}</td><td class="wrap">{escape(row.trouble or row.landed)}</td>'
        f'<td class="wrap">{"<br>".join(map(escape, row.caught_by))}</td><td class="n">{seconds}</td>'
        f'<td class="wrap">{told}</td></tr>'
    )


def _wrong(matrix: Matrix, report: Report) -> str:
    holes = [f"<li><b>{escape(hole.of)}</b>: {hole.kind}: {escape(hole.what)}</li>" for hole in report.holes]
    troubled = [
        f"<li><b>{escape(row.fault)}</b>: {escape(row.trouble)}</li>" for row in matrix.rows if row.trouble
    ] + [f"<li><b>{escape(name)}</b>: not taken</li>" for name in report.missing]
    parts = [f"<h2>Holes</h2><ul>{''.join(holes)}</ul>"] if holes else []
    parts += [f"<h2>Inconclusive</h2><ul>{''.join(troubled)}</ul>"] if troubled else []
    return "\n".join(parts)


def _apart(report: Report) -> str:
    if not report.elsewhere:
        return ""
    rows = "".join(
        f"<li><b>{escape(name)}</b>: {escape(each.why)}; shown red in <code>{escape(each.shown)}</code></li>"
        for name, each in report.elsewhere.items()
    )
    return f"<h2>Not to be had on this stack</h2><ul>{rows}</ul>"
