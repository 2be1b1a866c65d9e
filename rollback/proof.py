"""The step that proves what now runs: started after the switch, with what was switched, serving this version."""

from collections.abc import Callable

from rollback import clock
from rollback.answering import is_older
from rollback.difference import served, version_differs
from rollback.errors import StepFailed
from rollback.readiness import WORKS, ask_health, started, started_after
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.api import Health
from target.errors import ApiError


class Prove(Step):
    """`changed()` is when the switch happened (host's clock).

    `evidence()` is what the action itself can show of the running process (empty: nothing); it raises StepFailed when
    the process has not got what was switched. `part` names that, for messages. `record` is the one that this state
    belongs to; with `lenient`, serving another version is told and does not fail.
    """

    name = "prove"
    settles = True

    def __init__(
        self,
        site: Site,
        changed: Callable[[], float],
        evidence: Callable[[], str],
        *,
        part: str,
        record: str | None,
        expected_before: str | None,
        lenient: bool,
    ) -> None:
        self.site = site
        self.changed = changed
        self.evidence = evidence
        self.part = part
        self.record = record
        self.expected_before = expected_before
        self.lenient = lenient
        self._proven = ""

    @property
    def commands(self) -> tuple[str, ...]:
        expects = f", and expect the record {self.record} from now on" if self.record else ""
        return (f"{self.site.service.commands('status')}; compare process, {self.part} and version{expects}",)

    @property
    def undoes(self) -> str:
        if self.record and self.expected_before and self.record != self.expected_before:
            return f"expect the record {self.expected_before} again"
        return ""

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, _: Course, /) -> None:
        self._proven = self.verify()
        if self.record is not None:
            self.site.records.expect(self.record)

    def verify(self) -> str:
        if self._proven:
            return self._proven
        status = self.site.service.status()
        changed = self.changed()
        if not started_after(status, changed):
            raise StepFailed(
                f"what runs is older than the switch at {clock.second(changed)}: {started(status)}; it still has what "
                "was there before"
            )
        health = self._health()
        if other := is_older(self.site, health, changed):
            raise StepFailed(other)
        said = [f"{started(status)}, after the switch", self.evidence(), self._version(health)]
        return " · ".join(text for text in said if text)

    def undo(self, _: Course, /) -> str:
        if self.expected_before is not None:
            self.site.records.expect(self.expected_before)
        return f"{self.expected_before} is the expected record again"

    def _health(self) -> Health:
        try:
            health = ask_health(self.site)
        except ApiError as error:
            raise StepFailed(f"the service was ready, and now: {error}") from error
        if health.system_status not in WORKS:
            raise StepFailed(f"the service was ready, and now /health says {health.system_status!r}")
        return health

    def _version(self, health: Health) -> str:
        says = f"serves {served(health)}"
        if self.record is None:
            return says
        wrong = version_differs(self.site.records.get(self.record), health)
        if not wrong:
            return says
        if self.lenient:
            return f"{says}, although this {self.part} is that of {self.record}"
        raise StepFailed(
            f"{says}, and this {self.part} is that of {self.record} ({'; '.join(wrong)}): the rest has to go "
            "back too (python -m rollback set); to accept the mixture, name where to go with --to"
        )
