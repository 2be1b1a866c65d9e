"""The action `set`: several actions as one, with one lock, one journal, one restart, to one record."""

from typing import Any

import msgspec

from rollback.action import Action, Plan, Survey
from rollback.actions.set.mixture import BRINGS, NoMixture
from rollback.catalogue import OFFERS
from rollback.destination import destination
from rollback.difference import Comparison, compare
from rollback.errors import Refused
from rollback.journal import Story
from rollback.readiness import ready
from rollback.remedy import ORDER, remedies
from rollback.site import Site
from rollback.step import Finding, Step
from target.errors import RecordError, TargetError
from target.record import Record, describe


class SetPlan(Plan, frozen=True, kw_only=True):
    """`parts` has the plan of each action by its name, in order; `asked` are those that the person named.

    `to` is what the person named as destination, `record` the record that it came to.
    """

    record: str
    release: str
    to: str | None
    asked: tuple[str, ...]
    parts: dict[str, dict[str, Any]]


class SetAction(Action[SetPlan]):
    """`asked` are the actions that the person named, else those whose part differs from the record.

    `to` is the record to go to, where it is not the newest healthy one. Raises TargetError for an unknown part.
    """

    name = "set"
    plan_type = SetPlan

    def __init__(self, site: Site, asked: tuple[str, ...], to: str | None, record: Record | None) -> None:
        unknown = [name for name in asked if name not in BRINGS or name not in OFFERS]
        if unknown:
            there = ", ".join(name for name in ORDER if name in OFFERS)
            raise TargetError(f"no part {unknown[0]!r} of a set; there is: {there}")
        if {"git", "files"} <= set(asked):
            raise TargetError("both git and files bring the code back: name one of them")
        self.site = site
        self.level = max((OFFERS[name].level for name in asked), default=3)
        self.asked = asked
        self.to = to
        self.given = record
        self._built: dict[str, Action[Any]] = {}

    def survey(self, stamp: str, last: Story | None) -> Survey[SetPlan]:
        record = self.given or destination(self.site, self.to)
        works, seen, health = ready(self.site, at_first=True)
        found = compare(self.site, record, health)
        chosen, findings = self._choose(record, found)
        if not chosen:
            return self._nothing(record, works, seen, found)
        surveys = {name: action.survey(stamp, last) for name, action in chosen.items()}
        left = {name: each for name, each in surveys.items() if not each.already}
        self._built = {name: chosen[name] for name in left}
        self.level = max((OFFERS[name].level for name in left), default=self.level)
        findings += [
            Finding(f"{name}: {finding.says}", finding.doubt, finding.minor)
            for name, each in surveys.items()
            for finding in each.findings
        ]
        plan = SetPlan(
            was_ready=works,
            record=record.name,
            release=describe(record).partition(" · ")[0],
            to=self.to,
            asked=self.asked,
            parts={name: _nested(each.plan) for name, each in left.items()},
        )
        return Survey(
            goal=self.goal_of(plan),
            message=f"{', '.join(left)} to {record.name}",
            plan=plan,
            findings=tuple(findings),
            already="" if left else "; ".join(f"{name}: {each.already}" for name, each in surveys.items()),
        )

    def seal(self, plan: SetPlan) -> SetPlan:
        sealed = {name: _nested(action.seal(part)) for name, action, part in self._parts(plan)}
        return msgspec.structs.replace(plan, parts=sealed)

    def changes(self, plan: SetPlan) -> tuple[Step, ...]:
        return tuple(step for _, action, part in self._parts(plan) for step in action.changes(part))

    def proofs(self, plan: SetPlan) -> tuple[Step, ...]:
        proofs: list[Step] = []
        for name, action, part in self._parts(plan):
            for step in action.proofs(part):
                step.name = f"{step.name} {name}"
                proofs.append(step)
        return (*proofs, NoMixture(self.site, plan.record, tuple(plan.parts)))

    def changed(self, plan: SetPlan) -> float:
        return max(action.changed(part) for _, action, part in self._parts(plan))

    def learn(self, plan: SetPlan) -> None:
        self.level = max(OFFERS[name].level for name in plan.parts)
        for _, action, part in self._parts(plan):
            action.learn(part)

    def check_resume(self, plan: SetPlan, *, back: bool) -> None:
        there = ", ".join(plan.parts)
        end = "end it first, with --resume or --undo"
        if self.to is not None and self.to not in (plan.to, plan.record):
            raise Refused(f"an unfinished run goes to {plan.record}, not to {self.to}: {end}")
        if self.asked and set(self.asked) not in (set(plan.asked), set(plan.parts)):
            raise Refused(f"an unfinished run is of {there}, not of {', '.join(self.asked)}: {end}")
        for _, action, part in self._parts(plan):
            action.check_resume(part, back=back)

    def check_undo(self, plan: SetPlan) -> list[Finding]:
        return [
            Finding(f"{name}: {finding.says}", finding.doubt, finding.minor)
            for name, action, part in self._parts(plan)
            if action.reverts(part)
            for finding in action.check_undo(part)
        ]

    def goal_of(self, plan: SetPlan) -> str:
        return f"{', '.join(plan.parts)} of {plan.release}"

    def state(self, plan: SetPlan) -> list[str]:
        lines: list[str] = []
        for _, action, part in self._parts(plan):
            lines += [line for line in action.state(part) if line not in lines]
        return lines

    def _parts(self, plan: SetPlan) -> list[tuple[str, Action[Any], Any]]:
        """Each action with its plan, in the order of the plan."""
        found = []
        for name, nested in plan.parts.items():
            if name not in self._built:
                self._built[name] = self._build(name, self._record(plan))
            action = self._built[name]
            found.append((name, action, msgspec.convert(nested, action.plan_type)))
        return found

    def _build(self, name: str, record: Record | None) -> Action[Any]:
        offer = OFFERS[name]
        return offer.build(self.site, offer.options_of(), record)

    def _record(self, plan: SetPlan) -> Record | None:
        """The record of a run that was begun before; what it needs is in its plan, also where the record is gone."""
        try:
            return self.site.records.get(plan.record)
        except RecordError:
            return None

    def _choose(self, record: Record, found: Comparison) -> tuple[dict[str, Action[Any]], list[Finding]]:
        """The actions to carry out: of those named, or of all, the ones whose part differs. Raises TargetError."""
        cures = remedies(self.site, found)
        chosen: dict[str, Action[Any]] = {}
        findings = []
        parts = found.parts()
        for name in ORDER:
            if name in self.asked and not BRINGS[name] & (parts | set(found.compared)):
                raise Refused(
                    f"{record.name} or the target says nothing that {name} could be judged by; nothing was changed"
                )
            if name in self.asked and not BRINGS[name] & parts:
                findings.append(Finding(f"{name}: already as recorded for {record.name}"))
            elif name in self.asked:
                chosen[name] = self._build(name, record)
            elif name in cures and not self.asked:
                try:
                    chosen[name] = self._build(name, record)
                except TargetError as error:
                    findings.append(
                        Finding(f"{name} would be needed and is not offered: {error}", doubt=True)
                    )
        brought = frozenset().union(*(BRINGS[name] for name in chosen))
        left = [each.says for each in (*found.differs, *found.untold) if each.part not in brought]
        if chosen and left:
            says = (
                f"this would leave a mixture, since nothing here brings back what differs: {'; '.join(left)}"
            )
            findings.append(Finding(says, doubt=True))
        return chosen, findings

    def _nothing(self, record: Record, works: bool, seen: str, found: Comparison) -> Survey[SetPlan]:
        """Nothing differs, or nothing that any action here brings back. Raises Refused."""
        if found.parts() and not self.asked:
            raise Refused(
                f"nothing here brings back what differs from {record.name}: {found.says()}; nothing was changed"
            )
        if not works:
            raise Refused(
                f"everything is as recorded for {record.name}, and {seen}: going to it mends nothing; nothing was "
                "changed; python -m checks triage says what does"
            )
        plan = SetPlan(
            was_ready=works, record=record.name, release=record.name, to=self.to, asked=self.asked, parts={}
        )
        return Survey(
            goal=f"set of {record.name}",
            message="",
            plan=plan,
            findings=(),
            already=f"everything is as recorded for {describe(record)}: {', '.join(found.compared)}",
        )


def _nested(plan: Plan) -> dict[str, Any]:
    nested: dict[str, Any] = msgspec.to_builtins(plan)
    return nested
