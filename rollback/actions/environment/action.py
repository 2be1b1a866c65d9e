"""The action `environment`, Level 1: put the previous environment file back, restart, prove it."""

import msgspec

from rollback import clock
from rollback.action import Action, Survey
from rollback.actions.environment.candidate import Candidate, read_candidate
from rollback.actions.environment.envfile import EnvironmentPlan, Switch
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.onefile import Files, SetAside, in_place, learn_secrets
from rollback.proof import Prove
from rollback.readiness import ready, started, started_after
from rollback.restart import controllable
from rollback.site import Site
from rollback.step import Finding, Step
from target import environment
from target.description import Environment
from target.errors import HostError, TargetError
from target.record import Record
from target.redact import secrets_of


class EnvironmentAction(Action[EnvironmentPlan]):
    """`to` is the file to go to, where it is not the target's `environment.previous`.

    `record`: where a set goes, so that it has to be the environment of that.

    Raises TargetError when the target has no `environment`.
    """

    name = "environment"
    level = 1
    plan_type = EnvironmentPlan

    def __init__(self, site: Site, to: str | None = None, record: Record | None = None) -> None:
        if site.target.environment is None:
            raise TargetError(
                f"{site.target.source or site.target.name}: no `environment`: name the environment file, its previous "
                "version and the program that reads it"
            )
        self.site = site
        self.to = to
        self.record = record
        self.settings: Environment = site.target.environment
        self._old: bytes | None = None
        self._new = b""

    def survey(self, stamp: str, last: Story | None) -> Survey[EnvironmentPlan]:
        host = self.site.host
        file, facts = in_place(self.site, self.settings.file)
        self._old = None if facts is None else host.read(file)
        old = environment.read(self._old or b"", self.settings.reader).variables
        self.site.redactor.add(secrets_of(old))
        found = read_candidate(self.site, self.settings, self.to, self.record, old)
        self._new = found.content
        status = controllable(self.site)
        works, seen, _ = ready(self.site, at_first=True)
        young = facts is not None and started_after(status, facts.changed)
        same = self._old == self._new
        if same and young:
            self._refuse_if_broken(found, last, works, seen)
        expected = self.site.records.expected() if found.records else None
        plan = EnvironmentPlan(
            file=file,
            source=found.path,
            kept=f"{file}.failed.{stamp}",
            beside=f"{file}.next.{stamp}",
            undone=f"{file}.undone.{stamp}",
            size=max(len(self._old or b""), len(self._new)),
            changes=_changes(old, found.variables),
            restart_only=same,
            was_ready=works,
            named=self.to is not None,
            record=found.record.name if found.record else None,
            expected_before=expected.name if expected else None,
        )
        now = Finding(f"now: {started(status)}, {seen}")
        already = (
            f"{file} is that of {found.path}, {started(status)}, after it" if same and young and works else ""
        )
        return Survey(
            goal=self._goal(found),
            message=f"{found.path} to {file}" if not same else f"restart with {file}",
            plan=plan,
            findings=(*found.findings, now),
            already=already,
        )

    def seal(self, plan: EnvironmentPlan) -> EnvironmentPlan:
        keyed = self.site.records.keyed_hash
        old = None if self._old is None else keyed(self._old)
        return msgspec.structs.replace(plan, old=old, new=keyed(self._new))

    def changes(self, plan: EnvironmentPlan) -> tuple[Step, ...]:
        return () if plan.restart_only else (SetAside(self.site, plan), Switch(self.site, plan))

    def proofs(self, plan: EnvironmentPlan) -> tuple[Step, ...]:
        prove = Prove(
            self.site,
            lambda: self.changed(plan),
            lambda: self._evidence(plan),
            part="environment",
            record=plan.record,
            expected_before=plan.expected_before,
            lenient=plan.named,
        )
        return (prove,)

    def changed(self, plan: EnvironmentPlan) -> float:
        return Files(self.site, plan).changed()

    def check_resume(self, plan: EnvironmentPlan, *, back: bool) -> None:
        if self.to is not None and self.to != plan.source:
            raise Refused(
                f"an unfinished run goes to {plan.source}, not to {self.to}: end it first, with --resume or --undo"
            )
        if back:
            return
        Files(self.site, plan).check_resume(self.name)

    def check_undo(self, plan: EnvironmentPlan) -> list[Finding]:
        found = Files(self.site, plan).check_undo(
            "name another file: python -m rollback environment --to FILE"
        )
        status = controllable(self.site)
        return [*found, Finding(f"{self.site.service.name} answers its control: {status.state}")]

    def goal_of(self, plan: EnvironmentPlan) -> str:
        name = plan.source.rpartition("/")[2]
        return (
            f"environment of {plan.record} ({name})" if plan.record else f"environment on no record ({name})"
        )

    def state(self, plan: EnvironmentPlan) -> list[str]:
        lines = Files(self.site, plan).describe(f"the file of {plan.source}")
        try:
            lines.append(f"{self.site.service.name}: {started(self.site.service.status())}")
        except HostError as error:
            lines.append(f"{self.site.service.name}: cannot be asked: {error}")
        return lines

    def _goal(self, found: Candidate) -> str:
        date = clock.minute(found.facts.modified)
        name = found.path.rpartition("/")[2]
        if found.record is None:
            return f"environment on no record ({name}, {date})"
        return f"environment of {found.record.version or found.record.name} ({name}, {date})"

    def _refuse_if_broken(self, found: Candidate, last: Story | None, works: bool, seen: str) -> None:
        """The process runs with these very bytes: unless they are known to be good, going to them mends nothing."""
        good = [record.name for record in found.records if record.environment and record.state == "healthy"]
        if found.record is not None or (works and (not good or self._put_here_by(last))):
            return
        known = f"; the recorded environments are others ({', '.join(good[:3])})" if good else ""
        raise Refused(
            f"{found.path} is equal to the broken one: {self.settings.file} has the same bytes, the process runs "
            f"with them, {seen}{known}. Nothing was changed; name the file to go to: "
            "python -m rollback environment --to FILE"
        )

    def _put_here_by(self, last: Story | None) -> bool:
        """Whether the last run, finished, brought these very bytes."""
        if last is None or last.ending != "done" or last.begin.action != self.name:
            return False
        return last.begin.plan.get("new") == self.site.records.keyed_hash(self._new)

    def _evidence(self, plan: EnvironmentPlan) -> str:
        """Where the system shows the environment of the process: it has to be the new one."""
        control = self.site.target.service
        if control is None or control.supervisor is not None:
            return ""  # the program reads the file itself: its start time is the proof
        try:
            variables = self.site.service.process_environment()
        except HostError as error:
            return f"its environment cannot be seen ({error})"
        if variables is None:
            raise StepFailed(f"{self.site.service.name} stopped running")
        stale = self._stale(plan, variables)
        if stale:
            raise StepFailed(f"the process does not have the new environment: {', '.join(stale)} differ")
        return "its environment is the file's"

    def _stale(self, plan: EnvironmentPlan, running: dict[str, str]) -> list[str]:
        """Names of variables that the process does not have as the new file says.

        systemd hands the file over as it is. With compose the file may only be interpolated, so that a variable is
        stale when it is there with the value of before.
        """
        reader = self.settings.reader
        new = environment.read(self.site.host.read(plan.file), reader).variables
        if reader == "systemd":
            return sorted(name for name, value in new.items() if running.get(name) != value)
        if self.site.host.facts(plan.kept) is None:
            return []
        old = environment.read(self.site.host.read(plan.kept), reader).variables
        return sorted(
            name for name, value in old.items() if name in running and running[name] == value != new.get(name)
        )

    def learn(self, plan: EnvironmentPlan) -> None:
        learn_secrets(self.site, (plan.file, plan.kept, plan.source), self.settings.reader)


def _changes(old: dict[str, str], new: dict[str, str]) -> str:
    """Names of the variables that differ, never values."""
    added, gone, changed = environment.differences(old, new)
    parts = []
    for names, word in ((changed, "changed"), (added, "added"), (gone, "gone")):
        if names:
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            parts.append(f"{shown} {word}")
    return "; ".join(parts) or "no variable differs"
