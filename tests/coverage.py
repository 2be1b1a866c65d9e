"""`python -m tests.coverage`: which action is tested in which respect, and whether that test passed here last time.

Reads the marks `covers(action, *aspects)` of all tests, and what the runs on this machine came to. Exit 1 where a cell
is empty or a test in it failed, 4 where a mark names what there is not.
"""

import contextlib
import fcntl
import io
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from rollback.catalogue import OFFERS

ROOT = Path(__file__).resolve().parents[1]
OUTCOMES = ROOT / ".cache" / "action-coverage" / "outcomes.jsonl"
ASPECTS = ("apply", "dry-run", "kill", "undo", "refused", "second")

Cells = dict[tuple[str, str], set[str]]


class Told(msgspec.Struct, frozen=True):
    """How a test that covers something ended on this machine."""

    test: str
    outcome: Literal["passed", "failed", "skipped"]


def keep(told: Told, path: Path = OUTCOMES) -> None:
    """Add an outcome to what is known here; several workers may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(msgspec.json.encode(told) + b"\n")


def known(path: Path = OUTCOMES) -> dict[str, str]:
    """How each test ended the last time it ran here; afterwards the file holds those last times alone."""
    if not path.exists():
        return {}
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        last = {each.test: each for each in msgspec.json.Decoder(Told).decode_lines(file.read())}
        file.seek(0)
        file.truncate()
        file.writelines(msgspec.json.encode(each) + b"\n" for each in last.values())
    return {each.test: each.outcome for each in last.values()}


def covered(items: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[Cells, list[str]]:
    """Which tests are in which cell, of (test, arguments of a mark); and the marks that name what there is not."""
    cells: Cells = defaultdict(set)
    wrong = []
    for test, arguments in items:
        action, *aspects = arguments or ("",)
        if action not in OFFERS:
            wrong.append(f"{test}: no action {action!r}; there are {', '.join(OFFERS)}")
        for aspect in aspects:
            if aspect not in ASPECTS:
                wrong.append(f"{test}: no aspect {aspect!r}; there are {', '.join(ASPECTS)}")
            cells[action, aspect].add(test)
        if not aspects:
            wrong.append(f"{test}: covers({action!r}) names no aspect")
    return cells, wrong


def table(cells: Cells, outcomes: dict[str, str]) -> tuple[list[str], list[str]]:
    """The table, and its holes: cells without a test, or with one that failed here."""
    width = max(map(len, OFFERS), default=0)
    lines = ["  ".join(["action".ljust(width), *(aspect.rjust(8) for aspect in ASPECTS)])]
    holes = []
    for action in OFFERS:
        row = [action.ljust(width)]
        for aspect in ASPECTS:
            tests = cells.get((action, aspect), set())
            passed = sum(outcomes.get(test) == "passed" for test in tests)
            failed = sorted(test for test in tests if outcomes.get(test) == "failed")
            row.append((f"{passed}/{len(tests)}" if tests else "-").rjust(8))
            if not tests:
                holes.append(f"{action}: no test covers {aspect}")
            holes += [f"{action}: {aspect}: failed here: {test}" for test in failed]
        lines.append("  ".join(row))
    return lines, holes


class _Collector:
    """Takes the marks of every test that is collected."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, tuple[str, ...]]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.marks += [(item.nodeid, mark.args) for mark in item.iter_markers("covers")]


def main() -> int:
    """Collect, print the table, name the holes."""
    collector, said = _Collector(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["--collect-only", "-qq", str(ROOT / "tests")], plugins=[collector])
    if code != pytest.ExitCode.OK:
        sys.stderr.write(f"{said.getvalue()}the tests cannot be collected (pytest: {int(code)})\n")
        return 4
    cells, wrong = covered(collector.marks)
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        return 4
    lines, holes = table(cells, known())
    print("\n".join(["tests that passed here / tests there are", *lines]))
    if holes:
        print("\n".join(["", f"{len(holes)} holes", *(f"  {hole}" for hole in holes)]))
        return 1
    print("no hole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
