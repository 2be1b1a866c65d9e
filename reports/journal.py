"""The journal of a rollback, read: its copy on the operator's machine, or any file of that form."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from reports.errors import ReportError


class Line(msgspec.Struct, frozen=True):
    """A line of a journal, whatever it tells of; `at` is ISO 8601 in UTC."""

    event: str
    at: str
    step: int = 0
    name: str = ""
    evidence: str = ""
    why: str = ""
    outcome: str = ""
    run: str = ""
    action: str = ""
    level: int = 0
    target: str = ""
    host: str = ""
    undoes: str | None = None
    plan: dict[str, Any] = {}


class Journal(msgspec.Struct, frozen=True):
    """A run on one host. `lines[0]` says what was begun; a line that a crash cut short is left out."""

    path: Path
    lines: tuple[Line, ...]

    @property
    def begin(self) -> Line:
        return self.lines[0]

    @property
    def began(self) -> datetime:
        """When it was begun."""
        return moment(self.begin.at)

    @property
    def last(self) -> datetime:
        """When its last line was written."""
        return moment(self.lines[-1].at)

    @property
    def outcome(self) -> str:
        """`done`, `undone`, `not undone`, `abandoned`; empty for a run that has not come to an end."""
        last = self.lines[-1]
        return last.outcome if last.event == "end" else last.event if last.event == "abandoned" else ""

    @property
    def begun(self) -> dict[int, str]:
        """The names of the steps that were begun, by their numbers."""
        return {line.step: line.name for line in self.lines if line.event == "intent"}

    @property
    def done(self) -> list[Line]:
        """The last `done` line of each step, in the order of the steps."""
        return list({line.step: line for line in self.lines if line.event == "done"}.values())

    @property
    def failure(self) -> Line | None:
        """The first step that failed."""
        return next((line for line in self.lines if line.event == "failed"), None)


def read(path: Path) -> Journal:
    """Read a journal. Raises ReportError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from None
    lines = []
    for text in content.splitlines():
        try:
            lines.append(msgspec.json.decode(text, type=Line))
        except msgspec.MsgspecError:
            continue
    if not lines or lines[0].event != "begin":
        raise ReportError(f"{path}: not a journal of `python -m rollback`")
    try:
        for line in lines:
            moment(line.at)
    except ValueError:
        raise ReportError(f"{path}: a line of it has no time that could be read") from None
    return Journal(path, tuple(lines))


def moment(text: str) -> datetime:
    """A point in time, as journals and verdicts write it. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found
