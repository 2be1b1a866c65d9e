"""The one table at the end: drill × fault landed, detected, cured, RTO against budget, RPO, collateral, verdict."""

import shutil
import sys
from collections import Counter
from collections.abc import Sequence

from checks.screen import Screen
from drills.outcome import Drilled, Finding
from rollback import clock

_MARKS = {True: "✓", False: "✗", None: "?"}
_COLOURS = {"passed": "pass", "failed": "fail", "inconclusive": "inconclusive"}
_HEADS = ("drill", "fault landed", "detected", "cured by", "RTO / budget", "RPO", "collateral", "verdict")
_GAP = "  "
_WHY = 160


def show(
    drilled: Sequence[Drilled], notes: Sequence[str], screen: Screen | None = None, width: int = 0
) -> None:
    """Print it: a line a drill, or a block a drill where the terminal is too narrow; then why, and the sum."""
    screen = screen or Screen()
    if drilled:
        _lay_out(drilled, screen, width)
        _explain(drilled, screen)
    screen.line()
    for note in notes:
        screen.text(note)
    screen.text(summary(drilled))


def _lay_out(drilled: Sequence[Drilled], screen: Screen, width: int) -> None:
    room = width or (shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else 200)
    rows = [row(drill) for drill in drilled]
    widths = [max(len(cells[at]) for cells in (_HEADS, *rows)) for at in range(len(_HEADS))]
    screen.line()
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= room:
        screen.line(_aligned(_HEADS, widths))
        for drill, cells in zip(drilled, rows, strict=True):
            screen.line(_aligned(cells, widths), _COLOURS[drill.verdict])
    else:
        for drill, cells in zip(drilled, rows, strict=True):
            screen.line(f"{cells[0]}: {cells[-1]}", _COLOURS[drill.verdict])
            for head, cell in zip(_HEADS[1:-1], cells[1:-1], strict=True):
                screen.line(f"  {head:<13} {cell}")


def row(drill: Drilled) -> tuple[str, ...]:
    """The cells of a drill's line."""
    scenario = drill.scenario
    return (
        drill.fault,
        _cell(drill.landed, f" {drill.landing_s:.1f} s" if drill.landing_s is not None else ""),
        _cell(drill.detected, f" scenario {scenario}" if scenario else ""),
        _cell(drill.cured, f" {_level(drill)}" if drill.cure else " healed"),
        _rto(drill),
        str(drill.lost.count) if drill.lost is not None else "–" if drill.cure is None else "?",
        _collateral(drill),
        drill.verdict,
    )


def summary(drilled: Sequence[Drilled]) -> str:
    """The last line."""
    words = Counter(drill.verdict for drill in drilled)
    parts = [f"{len(drilled)} drill{'s' * (len(drilled) != 1)}"]
    parts += [f"{words[word]} {word}" for word in ("passed", "failed", "inconclusive") if words[word]]
    healed = sum(drill.cure is None for drill in drilled)
    if healed:
        parts.append(f"{healed} {'has' if healed == 1 else 'have'} no cure, detected and healed")
    if drilled:
        slowest = max(drilled, key=lambda drill: drill.seconds)
        parts.append(f"slowest {clock.length(slowest.seconds)} ({slowest.fault})")
    return " · ".join(parts)


def _explain(drilled: Sequence[Drilled], screen: Screen) -> None:
    for drill in drilled:
        if drill.verdict == "passed":
            continue
        screen.line()
        screen.line(
            f"{_MARKS[False] if drill.verdict == 'failed' else '?'} {drill.fault}", _COLOURS[drill.verdict]
        )
        for why in drill.why:
            screen.text(why if len(why) <= _WHY else f"{why[:_WHY]}…", "    ")
        screen.line(f"    {drill.folder}")


def _cell(finding: Finding | None, more: str) -> str:
    if finding is None:
        return "–"
    return f"{_MARKS[finding.holds]}{more}"


def _level(drill: Drilled) -> str:
    return f"L{drill.level} {drill.cure}" if drill.level else f"data {drill.cure}"


def _rto(drill: Drilled) -> str:
    if drill.rto is None:
        return "–"
    return f"{drill.rto.total_s:.0f} s / {clock.budget(drill.rto.budget_s)}"


def _collateral(drill: Drilled) -> str:
    if drill.collateral is None or drill.collateral.holds is None:
        return "–" if drill.cure is None else "?"
    return "none" if drill.collateral.holds else "✗"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
