"""What a run of the checks says on the terminal: a line a kind, then what is not a pass, then the verdict."""

import os
import shutil
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import TextIO

import msgspec

from checks.verdict import INTERRUPTED, USAGE, CriterionVerdict, Verdict

_MARKS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
_ASCII = {
    "✓": "ok",
    "✗": "x",
    "·": "|",
    "→": "->",
    "…": "...",
    "•": "*",
    "–": "-",
    "—": "-",
    "«": '"',
    "»": '"',
}
_COLOURS = {"pass": "32", "fail": "31", "inconclusive": "33"}
_WORDS = {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}
_NARROW = 64
_ALIKE = 4
_MISSING_SHOWN = 3


class Screen:
    """Prints to one stream: colour only on a terminal, ASCII where the encoding has no more, wrapped to its width."""

    def __init__(self, stream: TextIO | None = None, width: int | None = None) -> None:
        self._stream = stream or sys.stdout
        self._width = width or min(shutil.get_terminal_size((100, 24)).columns, 120)
        self._live = self._stream.isatty()
        self._colour = self._live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._transient = False

    def line(self, text: str = "", outcome: str | None = None) -> None:
        """One line; with an outcome, in its colour."""
        self._clear()
        text = self._encodable(text)
        if outcome is not None and self._colour:
            text = f"\x1b[{_COLOURS[outcome]}m{text}\x1b[0m"
        self._stream.write(text + "\n")
        self._stream.flush()

    def text(self, text: str, indent: str = "") -> None:
        """A text, wrapped to the width below its indent."""
        self._wrapped(text, indent, indent)

    def doing(self, text: str) -> None:
        """A line that the next one replaces; nothing where the output is not a terminal."""
        if self._live:
            self._clear()
            self._stream.write("\r" + self._encodable(text)[: self._width - 1])
            self._stream.flush()
            self._transient = True

    def header(self, target: str, record: str) -> None:
        """What is judged, and against what."""
        one = f"target  {target}      record  {record}"
        if len(one) <= self._width:
            self.line(one)
        else:
            self._wrapped(target, "target  ", "        ")
            self._wrapped(record, "record  ", "        ")
        self.line()

    def kind(self, kind: str, decided: list[CriterionVerdict], not_applicable: int) -> None:
        """One kind's line: how many of each outcome, and what was seen where all is well."""
        counts = Counter(criterion.outcome for criterion in decided)
        parts = [
            f"{_MARKS[outcome]} {counts[outcome]}"
            for outcome in ("fail", "inconclusive", "pass")
            if counts[outcome]
        ]
        if not_applicable:
            parts.append(f"({not_applicable} not applicable)")
        text = f"  {kind:<12} {'   '.join(parts)}"
        for summary in (criterion.summary for criterion in decided if criterion.outcome == "pass"):
            joined = f"{text}{'   ' if text.endswith(parts[-1]) else ' · '}{summary}"
            if summary and len(joined) <= self._width:
                text = joined
        worst = next((outcome for outcome in ("fail", "inconclusive") if counts[outcome]), None)
        self.line(text, worst)

    def ending(self, verdict: Verdict, path: Path) -> None:
        """What is not a pass, worst first, then the verdict: the last line."""
        if verdict.exit_code == USAGE and verdict.error:
            self.line(f"ERROR: {verdict.error}", "fail")
            return
        self.line()
        failed = [criterion for criterion in verdict.criteria if criterion.outcome == "fail"]
        unknown = [criterion for criterion in verdict.criteria if criterion.outcome == "inconclusive"]
        shown = [*failed, *_grouped(unknown)]
        column = min(max((len(criterion.name) for criterion in shown), default=0), 28)
        for criterion in shown:
            self._criterion(criterion, column)
        for note in dict.fromkeys(criterion.note for criterion in verdict.criteria if criterion.note):
            names = ", ".join(criterion.name for criterion in verdict.criteria if criterion.note == note)
            self._wrapped(f"{note} ({names})", "· ", "  ")
        for check in verdict.missing[:_MISSING_SHOWN]:
            self.line(f"? {check} did not report", "inconclusive")
        if len(verdict.missing) > _MISSING_SHOWN:
            self.line(f"? and {len(verdict.missing) - _MISSING_SHOWN} more did not report", "inconclusive")
        if verdict.error:
            self._wrapped(verdict.error, "? ", "  ")
        if shown or verdict.missing or verdict.error:
            self.line()
        self._wrapped(self._count(verdict, failed, unknown, path), "", "  ", verdict.verdict)

    def _criterion(self, criterion: CriterionVerdict, column: int) -> None:
        mark = _MARKS[criterion.outcome]
        lines = criterion.evidence.splitlines() or ["no evidence was given"]
        if self._width < _NARROW or len(criterion.name) > column:
            self.line(f"{mark} {criterion.name}", criterion.outcome)
            indent = "    "
            for line in lines:
                self._wrapped(line, indent, indent)
        else:
            indent = " " * (column + 4)
            self._wrapped(lines[0], f"{mark} {criterion.name:<{column}}  ", indent, criterion.outcome)
            for line in lines[1:]:
                self._wrapped(line, indent, indent)
        if "python -m " in criterion.next or "pytest " in criterion.next:
            self.line(f"{indent}→ {criterion.next}")  # in one piece, to be copied
        elif criterion.next:
            self._wrapped(criterion.next, f"{indent}→ ", f"{indent}  ")

    def _count(
        self, verdict: Verdict, failed: list[CriterionVerdict], unknown: list[CriterionVerdict], path: Path
    ) -> str:
        passed = len(verdict.criteria) - len(failed) - len(unknown)
        undetermined = len(unknown) + len(verdict.missing)
        counts = [
            f"{len(failed)} failed" if failed else "",
            f"{undetermined} undetermined" if undetermined else "",
            f"{passed} passed",
            f"{len(verdict.not_applicable)} not applicable" if verdict.not_applicable else "",
        ]
        interrupted = verdict.exit_code == INTERRUPTED
        parts = [
            "INTERRUPTED before it could tell" if interrupted else _WORDS[verdict.verdict],
            ", ".join(count for count in counts if count),
            f"{verdict.duration_s:.0f} s",
            f"{verdict.requests} requests",
            _near(path),
        ]
        return " · ".join(parts)

    def _wrapped(self, text: str, first: str, rest: str, outcome: str | None = None) -> None:
        lines = textwrap.wrap(
            text,
            self._width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines or [first]:
            self.line(line, outcome)

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "ascii"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            for letter, plain in _ASCII.items():
                text = text.replace(letter, plain)
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        return text

    def _clear(self) -> None:
        if self._transient:
            self._stream.write("\r\x1b[2K")
            self._transient = False


def _grouped(unknown: list[CriterionVerdict]) -> list[CriterionVerdict]:
    """Many criteria that one thing kept from being decided become one entry with their count."""
    reasons = Counter(criterion.evidence for criterion in unknown)
    grouped: list[CriterionVerdict] = []
    for criterion in unknown:
        alike = reasons.pop(criterion.evidence, 0)
        if alike >= _ALIKE:
            grouped.append(msgspec.structs.replace(criterion, name=f"{alike} undetermined"))
        elif alike:
            grouped.extend(other for other in unknown if other.evidence == criterion.evidence)
    return grouped


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
