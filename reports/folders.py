"""The folders of runs on the operator's machine, and which verdict and journal belong together."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from reports import journal, verdict
from reports.errors import ReportError
from reports.journal import Journal
from reports.verdict import Verdict

RUNS = Path(__file__).resolve().parents[1] / "runs"
ONE_NIGHT = timedelta(hours=24)


class Case(msgspec.Struct, frozen=True):
    """A rollback as a report tells of it: the folder that the report goes into, its verdict, its journals by host."""

    folder: Path
    target: str
    verdict: Verdict | None
    journals: tuple[Journal, ...]


def find(target: str | None, run: Path | None, journal_file: Path | None) -> Case:
    """The newest case of a target (of any, where None), or the one of a run's folder. Raises ReportError."""
    if run is not None:
        if not run.is_dir():
            raise ReportError(f"{run}: no such folder; name one of {RUNS}")
        case = _case(run.resolve())
    else:
        case = _newest(target)
    if journal_file is not None:
        case = msgspec.structs.replace(case, journals=(journal.read(journal_file),))
    names = {each.begin.target for each in case.journals}
    names |= {case.verdict.target} if case.verdict is not None else set()
    if len(names | ({target} if target else set())) > 1:
        raise ReportError(f"{case.folder}: of the target {' and '.join(sorted(names))}, not one and the same")
    if not names:
        raise ReportError(f"{case.folder}: neither a verdict.json nor a journal.jsonl is there")
    return msgspec.structs.replace(case, target=names.pop())


def others(folder: Path) -> list[Path]:
    """The folders of the other runs, the newest first."""
    return [each for each in _folders() if each != folder]


def _newest(target: str | None) -> Case:
    """The newest rollback with the verdict on it, or the newest verdict with the rollback of the night before it."""
    judged = next(_verdicts(target), None)
    wanted = target or (judged[1].target if judged is not None else None)
    done = next(_journals(wanted), None)
    if done is not None and (judged is None or judged[1].started < done[1][0].last.replace(microsecond=0)):
        return Case(done[0], "", None, done[1])
    if judged is None:
        whose = f" of {target}" if target is not None else ""
        raise ReportError(
            f"no rollback{whose} was run from here, and nothing was judged; see: python -m rollback"
        )
    recent = done is not None and judged[1].started - done[1][0].began <= ONE_NIGHT
    return Case(judged[0], "", judged[1], done[1] if done is not None and recent else ())


def _case(folder: Path) -> Case:
    """A run's folder, with the newest rollback of the night before its verdict where it has no journal itself."""
    path = folder / "verdict.json"
    judged = verdict.read(path) if path.exists() else None
    journals = _journals_in(folder)
    if judged is not None and not journals:
        before = (
            found
            for _, found in _journals(judged.target)
            if timedelta(0) <= judged.started - found[0].began.replace(microsecond=0) <= ONE_NIGHT
        )
        journals = next(before, ())
    return Case(folder, "", judged, journals)


def _folders() -> list[Path]:
    if not RUNS.is_dir():
        return []
    return sorted((each for each in RUNS.iterdir() if each.is_dir() and not each.is_symlink()), reverse=True)


def _verdicts(target: str | None) -> Iterator[tuple[Path, Verdict]]:
    for folder in _folders():
        try:
            found = verdict.read(folder / "verdict.json")
        except ReportError:
            continue
        if target in (None, found.target):
            yield folder, found


def _journals(target: str | None) -> Iterator[tuple[Path, tuple[Journal, ...]]]:
    for folder in _folders():
        try:
            found = _journals_in(folder)
        except ReportError:
            continue
        if found and target in (None, found[0].begin.target):
            yield folder, found


def _journals_in(folder: Path) -> tuple[Journal, ...]:
    return tuple(journal.read(path) for path in sorted(folder.glob("journal*.jsonl")))
