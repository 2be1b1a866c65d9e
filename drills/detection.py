"""Whether a fault was noticed: what triage said of it, and where it stays below every trigger, what the checks said."""

import shlex
from typing import Any

import msgspec

from drills.faults.fault import Fault
from drills.operator import Typed
from drills.outcome import Finding

_TRIAGED = (0, 1, 6)
_JUDGED = (0, 1, 6)
_BAD = 1


class Cure(msgspec.Struct, frozen=True):
    """The cure as triage tells it: the level, why, and what to type."""

    level: int | None
    says: str
    command: str


class Triaged(msgspec.Struct, frozen=True):
    """What is needed of `python -m checks triage --json`."""

    scenario: int | None
    cure: Cure | None
    exit_code: int


class Judged(msgspec.Struct, frozen=True):
    """What is needed of a verdict.json: the criteria in the order in which they are told."""

    exit_code: int
    criteria: tuple[dict[str, Any], ...]

    @property
    def failed(self) -> list[str]:
        """The names of the criteria that failed."""
        return [str(criterion["name"]) for criterion in self.criteria if criterion["outcome"] == "fail"]


def triaged(typed: Typed) -> Triaged | None:
    """What triage found; None where it came to no finding."""
    if typed.exit not in _TRIAGED:
        return None
    try:
        return msgspec.json.decode(typed.out, type=Triaged)
    except msgspec.DecodeError:
        return None


def by_triage(fault: Fault, found: Triaged) -> Finding:
    """Whether triage named the scenario and the action that belong to the fault."""
    named = f"scenario {found.scenario}" if found.scenario else "no scenario"
    command = found.cure.command if found.cure else "nothing"
    says = f"triage: {named}, {command}"
    if fault.scenario is not None and found.scenario != fault.scenario:
        return Finding(False, f"{says}; it is of scenario {fault.scenario}")
    if fault.restart and not restart_words(found):
        return Finding(False, f"{says}; a restart of the service is enough")
    if fault.cure is not None and not fault.restart and not _words(fault.cure, found):
        return Finding(False, f"{says}; what cures it is python -m rollback {fault.cure}")
    return Finding(fault.scenario is not None or fault.cure is not None, says)


def by_checks(fault: Fault, found: Judged | None, says: str) -> Finding:
    """Whether the operator's checks turned red at what the fault has to show in."""
    if found is None or found.exit_code not in _JUDGED:
        return Finding(None, f"the checks came to no verdict ({says})")
    if found.exit_code != _BAD:
        return Finding(False, f"the checks are not red ({says})")
    missed = [name for name in fault.must if name not in found.failed]
    if missed or not set(fault.first) & set(found.failed):
        wanted = ", ".join(missed or fault.first)
        return Finding(False, f"the checks failed {', '.join(found.failed)}, and not {wanted}")
    return Finding(True, f"the checks failed {', '.join(found.failed)}")


def rollback_words(cure: str, found: Triaged | None) -> list[str]:
    """What to type after `python -m rollback`: triage's own command where it can be typed as it stands."""
    return (_words(cure, found) if found else []) or [cure]


def restart_words(found: Triaged | None) -> list[str]:
    """What triage says to type to restart the service; empty where it says anything else."""
    words = shlex.split(found.cure.command) if found and found.cure else []
    return words if "restart" in words and words[:3] != ["python", "-m", "rollback"] else []


def _words(cure: str, found: Triaged) -> list[str]:
    for command in found.cure.command.split("; ") if found.cure else ():
        words = shlex.split(command.partition(", with ")[0])
        if words[:4] != ["python", "-m", "rollback", cure]:
            continue
        if "--target" in words:
            at = words.index("--target")
            del words[at : at + 2]
        placeholder = any(word.isupper() for word in words[4:])
        return [cure] if placeholder else words[3:]
    return []
