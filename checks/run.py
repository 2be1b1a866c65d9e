"""A run of the checks: what was expected, what reported, what it cost."""

import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from checks.criterion import Criterion
from checks.observation import Observation
from checks.verdict import CriterionVerdict, NotApplicable, Verdict, exit_code, word, write
from target.description import Target
from target.errors import TargetError
from target.redact import Redactor


class DeadService(Exception):
    """The service does not answer, so that nothing that asks it can be determined."""


class Run:
    """Collects observations while pytest runs, and makes the verdict of them. One per session."""

    def __init__(
        self,
        target: Target,
        criteria: dict[str, Criterion],
        folder: Path,
        redactor: Redactor,
        skips_allowed: str | None,
    ) -> None:
        self.target = target
        self.criteria = criteria
        self.folder = folder
        self.redactor = redactor
        self.skips_allowed = skips_allowed
        self.record: str | None = None
        self.requests = 0
        self.error: str | None = None
        self.wrong_target = False
        self.broken: list[str] = []
        self.decided: list[CriterionVerdict] = []
        self.not_applicable: list[NotApplicable] = []
        self.expected: dict[str, tuple[str, ...]] = {}
        self.reported: set[str] = set()
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._started

    def expect(self, check: str, criteria: tuple[str, ...]) -> None:
        """Note that a check was selected and must report."""
        self.expected[check] = criteria

    def observe(self, check: str, observation: Observation) -> None:
        """Take one decided criterion."""
        criterion = self.criteria[observation.criterion]
        self.decided.append(
            CriterionVerdict(
                name=criterion.name,
                kind=criterion.kind,
                limit=criterion.text,
                unit=criterion.unit,
                observed=self.redactor.data(observation.observed),
                n=observation.n,
                confidence=observation.confidence,
                outcome=observation.outcome,
                check=check,
                evidence=self.redactor.text(observation.evidence),
                summary=self.redactor.text(observation.summary),
                next=self.redactor.text(observation.next),
                note=self.redactor.text(observation.note),
            )
        )

    def skip(self, check: str, why: str) -> None:
        """Note a check that does not apply, with what is missing."""
        self.not_applicable.append(NotApplicable(check, self.redactor.text(why)))

    def explain(self, check: str, error: BaseException) -> str:
        """One line for an error that kept a check from deciding; what is not one of ours is kept in `errors.log`."""
        if isinstance(error, TargetError | DeadService):
            return self.redactor.text(str(error))
        details = "".join(traceback.format_exception(error))
        with (self.folder / "errors.log").open("a", encoding="utf-8") as log:
            log.write(self.redactor.text(f"{check}\n{details}\n"))
        last = str(error).strip().splitlines()
        line = f"{type(error).__name__}{': ' + last[0][:200] if last else ''}"
        return self.redactor.text(f"the check itself broke: {line} (details: {self.folder / 'errors.log'})")

    def verdict(self, pytest_status: int) -> Verdict:
        """The verdict as it stands."""
        missing = [check for check in self.expected if check not in self.reported]
        code = exit_code(
            self.decided,
            missing,
            broken=bool(self.broken),
            skips_allowed=self.skips_allowed is not None,
            pytest_status=pytest_status,
        )
        return Verdict(
            verdict=word(code),
            exit_code=code,
            target=self.target.name,
            record=self.record,
            started_at=self._started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_s=round(self.seconds, 3),
            requests=self.requests,
            missing=missing,
            criteria=self.decided,
            not_applicable=self.not_applicable,
            skips_allowed=self.skips_allowed,
            error=self.error,
        )

    def write(self, pytest_status: int) -> tuple[Verdict, Path]:
        """Write the verdict as it stands to the run's folder. Raises OSError."""
        verdict = self.verdict(pytest_status)
        return verdict, write(verdict, self.folder)


def reached(thing: msgspec.Struct, dotted: str) -> bool:
    """Whether a dotted path leads to something: `database`, `api.headers.skip_providers`."""
    found: object = thing
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found is not None and found not in ("", (), {})
