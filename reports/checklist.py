"""The runbook's rollback checklists: each item proven, disproved, signed by a person, or open."""

import json
import os
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from reports import folders
from reports.errors import ReportError
from reports.folders import Case
from reports.proofs import Found, by_journal, by_verdict

FORMAT = 1
DONE, DISPROVED, OPEN = 0, 1, 6
SCHEMA = Path(__file__).with_name("checklist.schema.json")
_ITEMS = Path(__file__).with_name("checklist.yaml")
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*:)[^@\s/]+(?=@)", re.IGNORECASE)


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item as `checklist.yaml` has it; one without `journal`, `kind` and `criteria` only a person can answer."""

    id: str
    says: str
    journal: str | None = None
    kind: str | None = None
    criteria: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the three lists."""

    title: str
    items: tuple[Item, ...]


class Answer(msgspec.Struct, frozen=True):
    """What a person said, signed; `at` is UTC."""

    yes: bool
    note: str
    by: str
    at: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """How an item stands. `evidence` proves or disproves it, or says what is missing; `asks`: a person may answer."""

    id: str
    part: str
    says: str
    state: Literal["proven", "signed", "not met", "open"]
    evidence: str = ""
    asks: bool = False
    answer: Answer | None = None


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """The checklists of one rollback. `run` is its journal's name, null for what was rolled back without this tool."""

    schema: int = FORMAT
    target: str
    exit_code: int
    run: str | None
    action: str | None
    level: int | None
    record: str | None
    verdict: str | None
    written_at: str
    entries: tuple[Entry, ...]


@cache
def parts() -> tuple[Part, ...]:
    """The three lists, in the runbook's order."""
    return msgspec.convert(yaml.safe_load(_ITEMS.read_text("utf-8")), tuple[Part, ...])


def signed(*, yes: bool, note: str, by: str, now: datetime | None = None) -> Answer:
    """An answer, signed now; a password in a URL of the note is masked."""
    at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(yes, _URL_PASSWORD.sub(r"\1••••", " ".join(note.split())), by, at)


def draw_up(case: Case, answers: dict[str, Answer]) -> Checklist:
    """How every item stands, by the evidence first and by the answers where that says nothing."""
    entries = tuple(_entry(part, item, case, answers) for part in parts() for item in part.items)
    states = {entry.state for entry in entries}
    begin = case.journals[0].begin if case.journals else None
    return Checklist(
        target=case.target,
        exit_code=DISPROVED if "not met" in states else OPEN if "open" in states else DONE,
        run=begin.run if begin else None,
        action=begin.action if begin else None,
        level=begin.level if begin else None,
        record=case.verdict.record if case.verdict else None,
        verdict=case.verdict.started_at if case.verdict else None,
        written_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        entries=entries,
    )


def answers_so_far(case: Case) -> dict[str, Answer]:
    """What persons have signed: here, or earlier in the same night for the same rollback or ahead of it."""
    run = case.journals[0].begin.run if case.journals else None
    here = read(case.folder)
    if here is not None:
        return _answers(here)
    for folder in folders.others(case.folder):
        try:
            earlier = read(folder)
        except ReportError:
            continue
        if earlier is None or earlier.target != case.target:
            continue
        age = datetime.now(UTC) - datetime.fromisoformat(earlier.written_at)
        if earlier.run in (None, run) and age <= folders.ONE_NIGHT:
            return _answers(earlier)
    return {}


def read(folder: Path) -> Checklist | None:
    """The checklist in a run's folder, None where there is none yet. Raises ReportError."""
    path = folder / "checklist.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Checklist)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ReportError(f"{path}: cannot be read ({error}); move it away to begin anew") from None
    if found.schema != FORMAT:
        raise ReportError(f"{path}: a checklist of format {found.schema}, and this reads {FORMAT}")
    return found


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file of a run's folder atomically. Raises ReportError."""
    path, temporary = folder / name, folder / f".{name}.{os.getpid()}"
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def as_json(found: Checklist) -> str:
    """`checklist.json`."""
    return json.dumps(msgspec.to_builtins(found), ensure_ascii=False, indent=2) + "\n"


def schema() -> str:
    """The JSON Schema of `checklist.json`, as kept in the repository."""
    return json.dumps(msgspec.json.schema(Checklist), indent=2, ensure_ascii=False) + "\n"


def _answers(found: Checklist) -> dict[str, Answer]:
    return {entry.id: entry.answer for entry in found.entries if entry.answer is not None}


def _entry(part: Part, item: Item, case: Case, answers: dict[str, Answer]) -> Entry:
    found = _evidence(item, case)
    if found is not None:
        return Entry(id=item.id, part=part.title, says=item.says, state=found.state, evidence=found.says)
    answer = answers.get(item.id)
    return Entry(
        id=item.id,
        part=part.title,
        says=item.says,
        state="open" if answer is None else "signed" if answer.yes else "not met",
        asks=answer is None or not answer.yes,
        answer=answer,
    )


def _evidence(item: Item, case: Case) -> Found | None:
    if item.journal is not None:
        return by_journal(item.journal, case.journals, case.verdict)
    if item.kind is not None or item.criteria:
        return by_verdict(item.kind, item.criteria, case.verdict, case.journals)
    return None
