"""What the actions share that put a prepared tree in the place of a live one."""

from abc import abstractmethod
from typing import TypeVar

from rollback.action import Action, Plan
from rollback.errors import Refused
from rollback.proof import Prove
from rollback.readiness import started
from rollback.site import Site
from rollback.step import Finding, Step
from rollback.swap import Swap, changed, describe, look
from target.errors import HostError
from target.record import Record
from target.record import describe as describe_record
from target.service import ServiceStatus


class SwapPlan(Plan, frozen=True, kw_only=True):
    """`source` is the backup that is gone to. `asked` is what the person named with --to.

    `record` is the record that the source is of, `expected_before` the one that was expected, by name.
    """

    source: str
    swaps: tuple[Swap, ...]
    goal: str
    asked: str | None
    record: str | None
    expected_before: str | None

    @property
    def named(self) -> bool:
        return self.asked is not None


P = TypeVar("P", bound=SwapPlan)


class SwapAction(Action[P]):
    """Its plan holds the swaps. `to` is what the person named, `record` what a set goes to."""

    part: str

    def __init__(self, site: Site, to: str | None, record: Record | None) -> None:
        self.site = site
        self.to = to
        self.given = record

    @abstractmethod
    def evidence(self, plan: P, /) -> str:
        """What shows that the process has what was switched. Raises StepFailed."""

    def seal(self, plan: P) -> P:
        return plan

    def proofs(self, plan: P) -> tuple[Step, ...]:
        return (
            Prove(
                self.site,
                lambda: self.changed(plan),
                lambda: self.evidence(plan),
                part=self.part,
                record=plan.record,
                expected_before=plan.expected_before,
                lenient=self.lenient(plan),
            ),
        )

    def lenient(self, plan: P) -> bool:
        """Whether another version than the record's may be served afterwards."""
        return plan.named

    def changed(self, plan: P) -> float:
        return changed(self.site, plan.swaps)

    def learn(self, plan: P) -> None:
        """Trees of code and packages hold no secret that the redactor does not know from the target."""

    def check_resume(self, plan: P, *, back: bool) -> None:
        del back  # either way goes on from whatever is there
        if self.to is not None and self.to != plan.asked:
            raise Refused(
                f"an unfinished run goes to {plan.source}, not to {self.to}: end it first, with --resume or --undo"
            )

    def check_undo(self, plan: P) -> list[Finding]:
        found = []
        for each, seen in zip(plan.swaps, look(self.site, plan.swaps), strict=True):
            if not seen.begun and not seen.as_before(each):
                raise Refused(
                    f"{each.kept} on {self.site.host.url}, what was there before, is gone: nothing was changed; name "
                    f"where to go: python -m rollback {self.name} --to"
                )
            kept = f"{each.kept} is there" if each.inode is not None else f"there was no {each.what} before"
            found.append(Finding(kept if seen.begun else f"{each.what} is the one of before"))
        status = self.status()
        return [*found, Finding(f"{self.site.service.name} answers its control: {status.state}")]

    def goal_of(self, plan: P) -> str:
        return plan.goal

    def state(self, plan: P) -> list[str]:
        lines = describe(self.site, plan.swaps)
        try:
            lines.append(f"{self.site.service.name}: {started(self.site.service.status())}")
        except HostError as error:
            lines.append(f"{self.site.service.name}: cannot be asked: {error}")
        return lines

    def status(self) -> ServiceStatus:
        """What the service control says. Raises Refused."""
        try:
            return self.site.service.status()
        except HostError as error:
            raise Refused(f"the service could not be restarted, so nothing was changed: {error}") from error

    def expected(self) -> str | None:
        """Name of the record that is expected now."""
        record = self.site.records.expected()
        return record.name if record is not None else None


def short(record: Record) -> str:
    """`2.3.1 a1b2c3d`."""
    return describe_record(record).partition(" · ")[0]
