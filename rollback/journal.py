"""The journal: what a run meant to do and did, a line at a time, on disk before the next thing happens."""

import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from rollback import clock
from rollback.errors import Refused
from target.host import Host
from target.redact import Redactor

FORMAT = 1
Ending = Literal["done", "undone", "not undone", "abandoned"]


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One line; `at` is ISO 8601 in UTC by the clock of who runs the action."""

    at: str


class Begin(Line, frozen=True, kw_only=True, tag="begin"):
    """First line. `plan` is everything that resuming needs; `undoes` names the run that this one takes back."""

    format: int = FORMAT
    run: str
    action: str
    level: int
    budget_s: float
    target: str
    host: str
    by: str
    pid: int
    undoes: str | None
    plan: dict[str, Any]


class Intent(Line, frozen=True, kw_only=True, tag="intent"):
    """A step is about to be applied."""

    step: int
    name: str
    does: tuple[str, ...]


class Done(Line, frozen=True, kw_only=True, tag="done"):
    """The step was applied and verified."""

    step: int
    name: str
    evidence: str
    seconds: float


class Failed(Line, frozen=True, kw_only=True, tag="failed"):
    """The step failed, or undoing it did; what follows is the way back."""

    step: int
    name: str
    why: str
    logs: tuple[str, ...]


class Turn(Line, frozen=True, kw_only=True, tag="turn"):
    """The person asked for the way back of a run that was not finished."""

    by: str


class UndoIntent(Line, frozen=True, kw_only=True, tag="undo intent"):
    """A step is about to be undone."""

    step: int
    name: str
    does: str


class Undone(Line, frozen=True, kw_only=True, tag="undone"):
    """The step was undone and that was verified."""

    step: int
    name: str
    evidence: str
    seconds: float


class Resume(Line, frozen=True, kw_only=True, tag="resume"):
    """Somebody goes on with the run."""

    by: str
    pid: int


class Interrupted(Line, frozen=True, kw_only=True, tag="interrupted"):
    """The person stopped the run between steps."""

    before_step: int


class End(Line, frozen=True, kw_only=True, tag="end"):
    """Last line. After `not undone` the run still has to be brought to an end."""

    outcome: Ending
    seconds: float


class Abandoned(Line, frozen=True, kw_only=True, tag="abandoned"):
    """Last line of a run that somebody gave up: whatever state things are in is left as it is."""

    by: str
    why: str


AnyLine = Begin | Intent | Done | Failed | Turn | UndoIntent | Undone | Resume | Interrupted | End | Abandoned


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A journal that was read. `torn` is how many lines were cut short by a crash."""

    begin: Begin
    lines: tuple[AnyLine, ...]
    torn: int

    @property
    def run(self) -> str:
        return self.begin.run

    @property
    def ending(self) -> Ending | None:
        match self.lines[-1]:
            case End(outcome=outcome):
                return outcome
            case Abandoned():
                return "abandoned"
            case _:
                return None

    @property
    def open(self) -> bool:
        """Whether the run still has to be brought to an end."""
        return self.ending in (None, "not undone")

    @property
    def comes_first(self) -> str:
        """Why nothing else is begun while it is open, and what to type."""
        return (
            f"an unfinished run of {self.begin.action} ({self.run}, {self.stands_at}) comes first: "
            f"python -m rollback {self.begin.action} --resume, or --undo; "
            "--abandon WHY where neither can be done"
        )

    @property
    def back(self) -> bool:
        """Whether the run is on its way back to the state before."""
        return self.begin.undoes is not None or any(isinstance(line, Failed | Turn) for line in self.lines)

    @property
    def asked_back(self) -> bool:
        """Whether the way back was asked for, rather than forced by a failure."""
        return self.begin.undoes is not None or any(isinstance(line, Turn) for line in self.lines)

    @property
    def to_undo(self) -> set[int] | None:
        """Steps that the way back has to undo; None for all, when it takes back a run that had been finished."""
        return None if self.begin.undoes is not None else self.begun

    @property
    def applied(self) -> set[int]:
        """Steps that were applied and verified."""
        return {line.step for line in self.lines if isinstance(line, Done)}

    @property
    def begun(self) -> set[int]:
        """Steps that may have changed something."""
        return {line.step for line in self.lines if isinstance(line, Intent)}

    @property
    def stands_at(self) -> str:
        """Where it stands, in a few words."""
        last = next((line for line in reversed(self.lines) if not isinstance(line, Resume)), self.begin)
        match last:
            case Intent() | UndoIntent():
                return f"during step {last.step}, {last.name}{', on the way back' if self.back else ''}"
            case Done() | Undone():
                return f"after step {last.step}, {last.name}{', on the way back' if self.back else ''}"
            case Failed():
                return f"step {last.step}, {last.name}, failed"
            case Interrupted():
                return f"interrupted before step {last.before_step}"
            case End():
                return str(last.outcome)
            case Abandoned():
                return f"abandoned as it stood by {last.by}: {last.why}"
            case _:
                return "just begun"


class Journal:
    """A journal that is being written; every line is redacted, and fsynced before `append` returns.

    The first line is written as it is: it holds paths, names and keyed hashes, which a resumed run must find unchanged
    even where a short secret happens to be a part of one.
    """

    def __init__(self, host: Host, path: str, redactor: Redactor) -> None:
        self._host = host
        self._redactor = redactor
        self.path = path

    def append(self, line: AnyLine) -> None:
        """Write one line. Raises HostError when it cannot be made durable."""
        data = msgspec.to_builtins(line)
        if not isinstance(line, Begin):
            data = self._redactor.data(data)
        self._host.append(self.path, msgspec.json.encode(data).decode())


class Journals:
    """The journals of a host, in `state_dir/journals/`."""

    def __init__(self, host: Host, state_dir: str, redactor: Redactor) -> None:
        self._host = host
        self._redactor = redactor
        self.folder = f"{state_dir}/journals"

    def runs(self) -> list[str]:
        """Names of the runs that have a journal, oldest first."""
        ending = ".jsonl"
        return [name.removesuffix(ending) for name in self._host.list(self.folder) if name.endswith(ending)]

    def newest(self) -> Story | None:
        """The newest run that was begun. Raises Refused when its journal cannot be understood."""
        for run in reversed(self.runs()):
            story = self.story(run)
            if story is not None:
                return story
        return None

    def standing(self) -> Iterator[Story]:
        """The runs that were finished and not taken back since, newest first: an undo is for the first."""
        taken_back: set[str] = set()
        for run in reversed(self.runs()):
            story = self.story(run)
            if story is None or (story.ending != "done" and story.begin.undoes is None):
                continue
            if story.begin.undoes is not None:
                taken_back.add(story.begin.undoes)
            elif run not in taken_back:
                yield story

    def story(self, run: str) -> Story | None:
        """What a journal tells; None when nothing had been begun yet (the crash came before the first line)."""
        path = self.path(run)
        lines: list[AnyLine] = []
        torn = 0
        decoder = msgspec.json.Decoder(AnyLine)
        for number, raw in enumerate(self._host.read(path).split(b"\n"), 1):
            if not raw:
                continue
            try:
                lines.append(decoder.decode(raw))
            except msgspec.ValidationError as error:
                raise Refused(
                    f"{path} on {self._host.url}, line {number}: {error}; it was written by another version of this "
                    "tool, or by hand: go on with that version, or move the file away once the state is settled"
                ) from error
            except msgspec.DecodeError:
                torn += 1
        if not lines or not isinstance(lines[0], Begin):
            return None
        return Story(begin=lines[0], lines=tuple(lines), torn=torn)

    def free_run(self, action: str, now: float, known: list[str]) -> str:
        """A name for a new run, `20261123T140210Z-environment`, that sorts after all `known` ones."""
        if known:
            newest = known[-1].partition("-")[0]
            try:
                now = max(now, clock.of_stamp(newest) + 1)
            except ValueError:
                raise Refused(
                    f"{self.path(known[-1])} on {self._host.url} is not one of this tool's journals; move it away"
                ) from None
        return f"{clock.stamp(now)}-{action}"

    def path(self, run: str) -> str:
        """The file of a run."""
        return f"{self.folder}/{run}.jsonl"

    def open(self, run: str) -> Journal:
        """The journal of a run, to write on; makes the folder."""
        self._host.make_folder(self.folder)
        return Journal(self._host, self.path(run), self._redactor)


def now() -> str:
    """The time of a line."""
    return clock.iso(time.time())
