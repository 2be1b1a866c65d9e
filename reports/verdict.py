"""The verdict of a run of the checks, read from its `verdict.json`."""

from datetime import datetime
from pathlib import Path

import msgspec

from reports.errors import ReportError
from reports.journal import moment

FORMAT = 1
_JUDGED = {0, 1, 6}


class Criterion(msgspec.Struct, frozen=True):
    """A criterion that was decided; `outcome` is pass, fail or inconclusive."""

    name: str
    kind: str
    limit: str
    outcome: str
    evidence: str
    summary: str = ""


class NotApplicable(msgspec.Struct, frozen=True):
    """A check that the target offers nothing for; `check` is its file and name."""

    check: str
    why: str


class Verdict(msgspec.Struct, frozen=True):
    """What reports tell of a verdict."""

    schema: int
    exit_code: int
    target: str
    record: str | None
    started_at: str
    criteria: list[Criterion]
    not_applicable: list[NotApplicable]
    missing: list[str]

    @property
    def started(self) -> datetime:
        """When the run began."""
        return moment(self.started_at)

    @property
    def ended(self) -> bool:
        """Whether the run came to a verdict, rather than being interrupted."""
        return self.exit_code in _JUDGED


def read(path: Path) -> Verdict:
    """Read a `verdict.json`. Raises ReportError."""
    try:
        verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
        moment(verdict.started_at)
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReportError(f"{path}: not a verdict of `pytest -m post_rollback`: {error}") from None
    if verdict.schema != FORMAT:
        raise ReportError(f"{path}: a verdict of format {verdict.schema}, and this reads {FORMAT}")
    return verdict
