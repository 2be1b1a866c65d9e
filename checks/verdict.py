"""The verdict of a run: `verdict.json`, the machine's interface, from which exit code and pages come."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from checks.rates import Outcome

FORMAT = 1
SCHEMA = Path(__file__).with_name("verdict.schema.json")

PASS, FAIL, INTERRUPTED, INTERNAL, USAGE, EMPTY, INCONCLUSIVE = range(7)


class CriterionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion: `limit` as written, `observed` in `unit`, `check` the test that decided it."""

    name: str
    kind: str
    limit: str
    unit: str
    observed: float | str | bool | None
    n: int | None
    confidence: float | None
    outcome: Outcome
    check: str
    evidence: str
    summary: str
    next: str
    note: str = ""


class NotApplicable(msgspec.Struct, frozen=True):
    """A check that this target does not offer what it needs for, and what that is."""

    check: str
    why: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the checks. Times are UTC, durations seconds; `missing` are expected checks that did not report."""

    schema: int = FORMAT
    verdict: Outcome
    exit_code: int
    target: str
    record: str | None
    started_at: str
    duration_s: float
    requests: int
    missing: list[str]
    criteria: list[CriterionVerdict]
    not_applicable: list[NotApplicable]
    skips_allowed: str | None = None
    error: str | None = None


def exit_code(
    criteria: list[CriterionVerdict],
    missing: list[str],
    *,
    broken: bool,
    skips_allowed: bool,
    pytest_status: int,
) -> int:
    """The exit code of DESIGN §5, from what was decided.

    `broken` is a failed assertion outside any criterion. pytest's own 2 to 5 (interrupted, internal, usage, empty)
    stand, unless a criterion already failed: then the deployment is bad, whatever happened afterwards.
    """
    outcomes = {criterion.outcome for criterion in criteria}
    if broken or "fail" in outcomes:
        return FAIL
    if pytest_status in {INTERRUPTED, INTERNAL, USAGE, EMPTY}:
        return pytest_status
    if missing or "inconclusive" in outcomes:
        return INCONCLUSIVE
    if "pass" not in outcomes and not skips_allowed:
        return INCONCLUSIVE
    return PASS


def word(code: int) -> Literal["pass", "fail", "inconclusive"]:
    """The verdict that an exit code stands for."""
    return {PASS: "pass", FAIL: "fail"}.get(code, "inconclusive")  # type: ignore[return-value]  # three words only


def run_folder(chosen: str | None, root: Path, target: str, now: datetime | None = None) -> Path:
    """Make the folder of a run, `runs/<UTC time>-<target>/`, or the chosen one. Raises OSError."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    if chosen is not None:
        folder = Path(chosen).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in target)
    for attempt in range(100):
        folder = root / "runs" / f"{stamp}-{safe}{f'-{attempt}' if attempt else ''}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        _point(folder)
        return folder
    raise FileExistsError(f"{root / 'runs'}: a hundred runs of {target} in one second")


def write(verdict: Verdict, folder: Path) -> Path:
    """Write `verdict.json` atomically. Raises OSError."""
    path = folder / "verdict.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        json.dumps(msgspec.to_builtins(verdict), ensure_ascii=False, indent=2) + "\n", "utf-8"
    )
    temporary.replace(path)
    return path


def schema() -> str:
    """The JSON Schema of `verdict.json`, as kept in the repository."""
    return json.dumps(msgspec.json.schema(Verdict), indent=2, ensure_ascii=False) + "\n"


def _point(folder: Path) -> None:
    latest, temporary = folder.parent / "latest", folder.parent / f".latest-{os.getpid()}"
    temporary.symlink_to(folder.name)
    temporary.replace(latest)
