"""A folder of runs as a rollback and the checks leave it; journals and verdicts by the types that write them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.verdict import CriterionVerdict, Verdict, write
from reports import folders
from reports.__main__ import main
from rollback import journal

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
STAMP = BEGAN.strftime("%Y%m%dT%H%M%SZ")
STEPS = (
    ("set aside .env", f".env.failed.{STAMP}"),
    ("switch .env", "2 variables differ"),
    ("restart", "voice-v2-service, ready at the 3rd attempt"),
    ("prove", "process started 14:02:13, after the switch"),
)


def at(seconds: float) -> str:
    """A time so long after the rollback began."""
    return (BEGAN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lines(*, done: int = len(STEPS), ending: str | None = "done", fails: str = "", **begin: Any) -> list[Any]:
    """The lines of a journal whose first `done` steps were done; `fails` is why the next one failed."""
    first = {
        "run": f"{STAMP}-environment", "action": "environment", "level": 1, "budget_s": 600.0, "target": "prod",
        "host": "local://", "by": "ann", "pid": 1, "undoes": None, "plan": {"record": "2.3.1"},
    }  # fmt: skip
    told: list[Any] = [journal.Begin(at=at(0), **{**first, **begin})]
    for number, (name, evidence) in enumerate(STEPS[:done], 1):
        told.append(journal.Intent(at=at(number), step=number, name=name, does=("cp",)))
        told.append(journal.Done(at=at(number), step=number, name=name, evidence=evidence, seconds=0.1))
    if fails:
        name = STEPS[done][0]
        told.append(journal.Intent(at=at(done + 1), step=done + 1, name=name, does=("cp",)))
        told.append(journal.Failed(at=at(done + 1), step=done + 1, name=name, why=fails, logs=()))
    if ending is not None:
        told.append(journal.End(at=at(9), outcome=ending, seconds=9.0))  # type: ignore[arg-type]
    return told


def criterion(name: str, kind: str, outcome: str = "pass", **more: Any) -> CriterionVerdict:
    """A criterion that was decided."""
    facts: dict[str, Any] = {
        "name": name, "kind": kind, "limit": "< 2000ms", "unit": "ms", "observed": 31.0, "n": 60, "confidence": None,
        "outcome": outcome, "check": f"checks/test_{kind}.py::test_{name}", "evidence": f"{name} was looked at",
        "summary": "", "next": "",
    }  # fmt: skip
    return CriterionVerdict(**{**facts, **more})


GOOD = (
    criterion("endpoint_response_time", "health", summary="p95 31 ms"),
    criterion("error_rate", "health"),
    criterion("tts_success_rate", "functional"),
    criterion("average_tts_time", "performance", summary="0.48 s"),
)
HUMAN = (
    "alert-stakeholders",
    "document-issue",
    "schedule-window",
    "monitor-logs",
    "notify-stakeholders",
    "incident-report",
)


class Runs:
    """The folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def journal(self, told: list[Any] | None = None, name: str = "journal.jsonl") -> Path:
        """A rollback was run; its copy of the journal."""
        told = told or lines()
        folder = self.folder / f"{told[0].run}-{told[0].target}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in told))
        return path

    def verdict(
        self, *criteria: CriterionVerdict, after: float = 60, exit_code: int = 0, **more: Any
    ) -> Path:
        """The checks were run so many seconds after the rollback began; the run's folder."""
        began = BEGAN + timedelta(seconds=after)
        folder = self.folder / f"{began.strftime('%Y%m%dT%H%M%SZ')}-prod"
        folder.mkdir(parents=True)
        facts: dict[str, Any] = {
            "verdict": "pass", "exit_code": exit_code, "target": "prod", "record": "2.3.1",
            "started_at": began.strftime("%Y-%m-%dT%H:%M:%SZ"), "duration_s": 38.0, "requests": 357, "missing": [],
            "criteria": list(criteria or GOOD), "not_applicable": [],
        }  # fmt: skip
        write(Verdict(**{**facts, **more}), folder)
        return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """An empty folder of runs, and no target named by the surroundings."""
    monkeypatch.setattr(folders, "RUNS", tmp_path / "runs")
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)
    return Runs(tmp_path / "runs")


@pytest.fixture
def walk(runs: Runs, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """`python -m reports checklist` without a terminal; exit code and all that it printed."""

    def walked(*arguments: str) -> tuple[int, str]:
        code = main(["checklist", "--by", "ann", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return walked
