"""What a journal and a verdict prove, or disprove, of a checklist's item."""

from collections.abc import Callable
from typing import Literal

import msgspec

from reports.journal import Journal
from reports.verdict import Criterion, Verdict

State = Literal["proven", "not met", "open"]
CHECK = "pytest -m post_rollback"
_KEEPS = ("set aside", "keep", "back up")
_STOPS = ("restart", "stop", "up ")
_WORST: tuple[State | None, ...] = ("not met", "open", None, "proven")


class Found(msgspec.Struct, frozen=True):
    """What the evidence says; an open item's `says` is what is missing."""

    state: State
    says: str


def _step(names: tuple[str, ...]) -> Callable[[Journal, Verdict | None], Found | None]:
    def proof(journal: Journal, _: Verdict | None) -> Found | None:
        those = [line for line in journal.done if line.name.startswith(names)]
        return (
            Found("proven", "; ".join(f"{line.name}: {line.evidence}" for line in those)) if those else None
        )

    return proof


def _set_aside(journal: Journal, _: Verdict | None) -> Found | None:
    kept = [
        line.evidence
        for line in journal.done
        if line.name.startswith(_KEEPS) or f".failed.{journal.begin.run.partition('-')[0]}" in line.evidence
    ]
    return Found("proven", "; ".join(kept)) if kept else None


def _destination(journal: Journal, verdict: Verdict | None) -> Found | None:
    record = journal.begin.plan.get("record") or (verdict.record if verdict is not None else None)
    return Found("proven", f"the record {record}") if isinstance(record, str) else None


def _planned(journal: Journal, _: Verdict | None) -> Found | None:
    begin = journal.begin
    return Found("proven", f"python -m rollback {begin.action}, planned in {begin.run} before its first step")


def _executed(journal: Journal, _: Verdict | None) -> Found | None:
    begin, failure = journal.begin, journal.failure
    if begin.undoes is not None:
        return Found("not met", f"{begin.undoes} was taken back by {begin.run}")
    if journal.outcome == "done":
        return Found("proven", f"{len(journal.done)} steps: {', '.join(line.name for line in journal.done)}")
    if failure is not None:
        back = f"; {journal.outcome}" if journal.outcome else ""
        return Found("not met", f"step {failure.step}, {failure.name}, failed: {failure.why}{back}")
    if journal.outcome:
        return Found("not met", f"{begin.run}: {journal.outcome}")
    return Found("open", f"not finished: python -m rollback {begin.action} --resume")


def _verified(journal: Journal, _: Verdict | None) -> Found | None:
    unproven = journal.begun.keys() - {line.step for line in journal.done if line.evidence}
    if journal.failure is not None:
        return Found("not met", f"step {journal.failure.step}, {journal.failure.name}, failed")
    if not journal.begun:
        return None
    if unproven:
        return Found(
            "open", f"no evidence yet for {', '.join(journal.begun[step] for step in sorted(unproven))}"
        )
    count = len(journal.begun)
    return Found("proven", f"{count} of {count} steps verified before the next one began")


def _documented(journal: Journal, _: Verdict | None) -> Found | None:
    return Found("proven", f"{len(journal.lines)} lines in {journal.path.parent.name}/{journal.path.name}")


JOURNAL: dict[str, Callable[[Journal, Verdict | None], Found | None]] = {
    "set_aside": _set_aside,
    "destination": _destination,
    "planned": _planned,
    "stopped": _step(_STOPS),
    "executed": _executed,
    "verified": _verified,
    "proved": _step(("prove",)),
    "documented": _documented,
}


def by_journal(proof: str, journals: tuple[Journal, ...], verdict: Verdict | None) -> Found | None:
    """What the journals of all hosts say together: as much as the worst of them; None where a person has to say."""
    found = [(journal, JOURNAL[proof](journal, verdict)) for journal in journals]
    if not found:
        return None
    journal, worst = min(found, key=lambda pair: _WORST.index(pair[1].state if pair[1] else None))
    if worst is None or len(found) == 1:
        return worst
    if worst.state == "proven":
        return Found("proven", "; ".join(f"{j.begin.host}: {each.says}" for j, each in found if each))
    return Found(worst.state, f"{journal.begin.host}: {worst.says}")


def by_verdict(
    kind: str | None, names: tuple[str, ...], verdict: Verdict | None, journals: tuple[Journal, ...]
) -> Found | None:
    """What the criteria of a kind, or of these names, say; None where the target offers no way to judge them."""
    if verdict is None:
        return Found("open", f"not judged yet: {CHECK}")
    if any(verdict.started < journal.last.replace(microsecond=0) for journal in journals):
        return Found("open", f"judged before the rollback ended: {CHECK}")
    those = [each for each in verdict.criteria if each.kind == kind or each.name in names]
    failed = [each for each in those if each.outcome == "fail"]
    doubtful = [each for each in those if each.outcome != "pass"]
    if failed:
        return Found("not met", "; ".join(f"{_limit(each)}: {_first(each.evidence)}" for each in failed))
    if not verdict.ended:
        return Found("open", f"the checks did not come to an end: {CHECK}")
    if doubtful:
        return Found(
            "open", "; ".join(f"{each.name} undetermined: {_first(each.evidence)}" for each in doubtful)
        )
    if those:
        return Found("proven", f"{len(those)} passed: {' · '.join(map(_told, those))}")
    if kind and any(f"test_{kind}.py" in each.check for each in verdict.not_applicable):
        return None
    return Found("open", f"this run did not judge it: {CHECK}")


def _told(criterion: Criterion) -> str:
    return criterion.summary or criterion.name


def _limit(criterion: Criterion) -> str:
    return criterion.name if criterion.limit == "true" else f"{criterion.name} {criterion.limit}"


def _first(text: str) -> str:
    return text.partition("\n")[0]
