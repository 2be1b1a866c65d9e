"""The action `git`, Level 2: the checkout goes to the last good commit, clean, on a branch of its own; proven."""

import re

from rollback import migration
from rollback.action import Action, Survey
from rollback.actions.git import preflight
from rollback.actions.git.checkout import Checkout, Look
from rollback.actions.git.steps import Deploy, Forget, GitPlan, Keep, Push, Switch, some
from rollback.destination import destination
from rollback.difference import same_revision
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.proof import Prove
from rollback.readiness import ask_health, ready, started, started_after
from rollback.site import Site
from rollback.step import Finding, Step
from target import environment
from target.description import Code
from target.errors import ApiError, HostError, RecordError, TargetError
from target.record import Record, describe
from target.redact import secrets_of
from target.service import ServiceStatus

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")


class GitAction(Action[GitPlan]):
    """`to` is the record, version, commit or tag to go to, else the newest healthy record; `record` beats it.

    Raises TargetError when the target has no `code`.
    """

    name = "git"
    level = 2
    plan_type = GitPlan

    def __init__(self, site: Site, to: str | None, record: Record | None, *, push: bool) -> None:
        if site.target.code is None:
            raise TargetError(
                f"{site.target.source or site.target.name}: no `code`: name the checkout on the host"
            )
        self.site = site
        self.to = to
        self.record = record
        self.settings: Code = site.target.code
        self.push = push or self.settings.push
        self.checkout = Checkout(site, self.settings)

    def survey(self, stamp: str, last: Story | None) -> Survey[GitPlan]:
        del last  # what is there tells all
        self._learn()
        records, expected = self._records()
        record, want = self._aim(records)
        look = self.checkout.look(want)
        preflight.refuse_unusable(self.checkout, look)
        status = self._status()
        works, seen, health = ready(self.site, at_first=True)
        young = started_after(status, look.changed)
        found: list[Finding] = []
        there = look.commit == look.head and look.status.clean and not preflight.lacks(look)
        if not there:
            look, found = self._obtain(look, want)
        record = record or preflight.record_of(records, look.commit, expected)
        name = self._name(record, look)
        if record is not None and record.state == "bad":
            raise Refused(
                f"{name} is {describe(record)}: what was marked bad is never gone back to; nothing was changed; "
                "`python -m rollback status` lists the others"
            )
        if not there:
            preflight.refuse_commit(self.checkout, look, name)
            found += preflight.findings(look, name)
            found += migration.judge(self.site, record) if record is not None else []
        stale = self._stale()
        if stale:
            found.append(
                Finding(f"Python runs what it has compiled of other code for {some(stale)}: that goes too")
            )
        serves = health.revision if health is not None and health.revision else look.commit
        current = there and young and not stale and same_revision(serves, look.commit)
        if current and not works:
            raise Refused(
                f"{self.checkout.folder} is at {name} already, clean, and the process runs with it: {seen}. The code "
                "is not what is broken; nothing was changed; see: python -m checks triage"
            )
        plan = GitPlan(
            folder=self.checkout.folder,
            stamp=stamp,
            commit=look.commit,
            name=name,
            branch=f"rollback-{stamp}",
            before=look.head,
            branch_before=look.branch,
            restart_only=there,
            stale=bool(stale),
            was_ready=works,
            to=self.to,
            record=record.name if record else None,
            expected_before=expected,
            push=self.push,
            deploy=self.settings.deploy is not None,
            modules=preflight.modules(look),
            migration=None if there or record is None else migration.crossing(self.site, record),
        )
        where = (
            ""
            if there
            else f", from {look.branch.removeprefix('refs/heads/') or 'a detached HEAD'} at {look.head[:7]}"
        )
        now = Finding(f"now: {started(status)}, {seen}{where}")
        return Survey(
            goal=self.goal_of(plan),
            message=f"restart at {name}" if there else f"{self.checkout.folder} to {name}",
            plan=plan,
            findings=(*found, now),
            already=f"{self.checkout.folder} is at {name}, clean, {started(status)}, after it"
            if current
            else "",
        )

    def seal(self, plan: GitPlan) -> GitPlan:
        return plan

    def changes(self, plan: GitPlan) -> tuple[Step, ...]:
        forget = [Forget(self.checkout, plan)] if plan.stale else []
        if plan.restart_only:
            return tuple(forget)
        steps: list[Step] = [
            *migration.steps(self.site, plan.migration),
            Keep(self.checkout, plan),
            Switch(self.checkout, plan),
            *forget,
        ]
        if plan.push:
            steps.append(Push(self.checkout, plan))
        if plan.deploy:
            if self.settings.deploy is None:
                raise Refused(
                    "the target had code.deploy when this run was begun: put it back, and run again"
                )
            steps.append(Deploy(self.checkout, plan, self.settings.deploy, self.settings.deploy_s))
        return tuple(steps)

    def proofs(self, plan: GitPlan) -> tuple[Step, ...]:
        prove = Prove(
            self.site,
            lambda: self.changed(plan),
            lambda: self._evidence(plan),
            part="code",
            record=plan.record,
            expected_before=plan.expected_before,
            lenient=False,
        )
        return (prove,)

    def changed(self, plan: GitPlan) -> float:
        del plan  # whoever changed the code
        return self.checkout.changed()

    def learn(self, plan: GitPlan) -> None:
        del plan  # it names no file with secrets; the service reads one all the same
        self._learn()

    def check_resume(self, plan: GitPlan, *, back: bool) -> None:
        other = self.record.name if self.record else self.to
        if other is not None and other not in (plan.to, plan.record, plan.commit):
            raise Refused(
                f"an unfinished run goes to {plan.name}, not to {other}: end it first, with --resume or --undo"
            )
        if back or plan.restart_only:
            return
        now = self.checkout.now(plan.stamp, plan.branch)
        at = (now.branch, now.head)
        if at not in ((plan.branch_before, plan.before), (f"refs/heads/{plan.branch}", plan.commit)):
            raise Refused(
                f"HEAD of {plan.folder} was moved by somebody since that run was cut short, to "
                f"{now.branch.removeprefix('refs/heads/') or now.head[:7]}; nothing was changed. "
                "`python -m rollback git --undo` brings back what was there before it"
            )

    def check_undo(self, plan: GitPlan) -> list[Finding]:
        look = self.checkout.look(plan.branch_before or plan.before)
        preflight.refuse_unusable(self.checkout, look)
        if look.commit != plan.before:
            raise Refused(
                f"{plan.branch_before.removeprefix('refs/heads/')} in {plan.folder} was moved since, from "
                f"{plan.before[:7]} to {look.commit[:7]}: going back to it would not bring back what was there; "
                f"nothing was changed. By hand: git checkout {plan.before[:12]}; the work tree of then is {plan.kept}"
            )
        status = self._status()
        found = [Finding(f"{self.site.service.name} answers its control: {status.state}")]
        if look.head == plan.commit and not look.status.clean:
            names = some((*look.status.changed, *look.status.untracked))
            found.append(Finding(f"{names} changed since: kept on a ref of this run", doubt=True))
        return found

    def goal_of(self, plan: GitPlan) -> str:
        return f"code of {plan.name}"

    def state(self, plan: GitPlan) -> list[str]:
        lines = []
        try:
            now = self.checkout.now(plan.stamp, plan.branch)
            which = {plan.commit: "where it was to go", plan.before: "as before"}.get(now.head, "neither")
            branch = now.branch.removeprefix("refs/heads/") or "detached"
            lines.append(f"{plan.folder}: HEAD is {branch} at {now.head[:7]}, {which}")
            status = some(now.status.changed) + " differ from it" if now.status.changed else "as HEAD says"
            lines.append(f"  its work tree: {status}")
            lines.append(
                f"  work of before: {plan.kept if now.kept else 'still in the work tree, untouched'}"
            )
        except HostError as error:
            lines.append(f"{plan.folder}: cannot be told: {error}")
        try:
            lines.append(f"{self.site.service.name}: {started(self.site.service.status())}")
        except HostError as error:
            lines.append(f"{self.site.service.name}: cannot be asked: {error}")
        return lines

    def _aim(self, records: list[Record]) -> tuple[Record | None, str]:
        """The record to go to, None where a commit was named, and what git is to look for. Raises Refused."""
        record = self.record
        if record is None and self.to is not None:
            if not any(self.to in (each.name, each.version) for each in records):
                if not _NAME.fullmatch(self.to):
                    raise Refused(
                        f"{self.to!r} is no record, commit or tag; nothing was changed; "
                        "`python -m rollback status` lists the records"
                    )
                return None, self.to
            record = destination(self.site, self.to)
        record = record or destination(self.site)
        if not record.revision:
            raise Refused(
                f"the record {record.name} names no commit: name one with --to COMMIT; nothing was changed"
            )
        return record, record.revision.lower()

    def _obtain(self, look: Look, want: str) -> tuple[Look, list[Finding]]:
        """The look at the commit once it is here and whole, fetched where it has to be. Raises Refused."""
        lack = preflight.lacks(look)
        remote = self.checkout.remote
        if not lack:
            there = "" if "remote" in look.lines("settings") else f", and there is no remote {remote}"
            return look, [Finding(f"{look.commit[:7]} is here, whole{there}", minor=not there)]
        how = "name another with --to, or take `python -m rollback files`; nothing was changed"
        if "remote" not in look.lines("settings"):
            raise Refused(
                f"{want}: {lack} in {self.checkout.folder} on {self.site.host.url}, and there is no remote {remote} to "
                f"fetch it from: {how}"
            )
        commit, why = self.checkout.fetch(want, partial="partial" in look.lines("settings"))
        if not commit:
            raise Refused(
                f"{want}: {lack} in {self.checkout.folder}, and {remote} does not give it: {why}; {how}"
            )
        look = self.checkout.look(commit)
        lack = preflight.lacks(look)
        if lack:
            raise Refused(
                f"{want}: {lack} in {self.checkout.folder}, also after a fetch from {remote}: {how}"
            )
        return look, [Finding(f"{commit[:7]} fetched from {remote}, whole")]

    def _records(self) -> tuple[list[Record], str | None]:
        try:
            records = self.site.records.all()
            expected = self.site.records.expected() if records else None
        except RecordError as error:
            raise Refused(f"{error}; nothing was changed") from error
        return records, expected.name if expected else None

    def _name(self, record: Record | None, look: Look) -> str:
        tags = look.lines("tags")
        words = (record.version or record.name) if record is not None else tags[0] if tags else "commit"
        return f"{words} ({look.commit[:7]})"

    def _stale(self) -> list[str]:
        """The files of the package of which Python would run something else; none where that cannot be told."""
        try:
            return self.checkout.stale()
        except HostError:
            return []

    def _status(self) -> ServiceStatus:
        try:
            return self.site.service.status()
        except HostError as error:
            raise Refused(f"the service could not be restarted, so nothing was changed: {error}") from error

    def _evidence(self, plan: GitPlan) -> str:
        """The work tree is the commit, and the process serves it."""
        now = self.checkout.now(plan.stamp, plan.branch)
        if now.head != plan.commit or now.status.changed:
            raise StepFailed(
                f"{plan.folder} is at {now.head[:7]} with {some(now.status.changed) or 'nothing'} changed, not at "
                f"{plan.name}, clean"
            )
        said = [f"the checkout is {plan.commit[:7]}, clean"]
        if now.status.untracked:
            said.append(f"{some(now.status.untracked)} came since, untracked")
        try:
            revision = ask_health(self.site).revision
        except ApiError as error:
            raise StepFailed(f"the service was ready, and now: {error}") from error
        if not revision:
            said.append("/health names no revision: only its start time shows that the process has it")
        elif not same_revision(revision.lower(), plan.commit):
            raise StepFailed(
                f"the process serves {revision[:7]}, not {plan.commit[:7]}: is it started from {plan.folder}?"
            )
        return " · ".join(said)

    def _learn(self) -> None:
        """Teach the redactor the secrets of the environment: logs and the deploy command may print them."""
        settings = self.site.target.environment
        if settings is None:
            return
        try:
            content = self.site.host.read(settings.file)
        except HostError:
            return  # there is none, or it cannot be read: then nothing that runs has it
        self.site.redactor.add(secrets_of(environment.read(content, settings.reader).variables))
