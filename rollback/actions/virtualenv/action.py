"""The action `virtualenv`, Level 3: copy the backup beside the live one, switch by renames, restart, prove it."""

from collections.abc import Callable

from rollback import folder, venv
from rollback.action import Survey
from rollback.actions.virtualenv.copying import CopyBackup
from rollback.destination import destination
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.readiness import ready, started, started_after
from rollback.running import runs_from
from rollback.site import Site
from rollback.step import Finding, Step
from rollback.swap import Switch, swap
from rollback.swapping import SwapAction, SwapPlan, short
from rollback.venv import Venv
from target.errors import HostError, TargetError
from target.record import Record


class VirtualenvAction(SwapAction[SwapPlan]):
    """`to` is the record to go to, where it is not the newest healthy one.

    Raises TargetError when the target has no `virtualenv.backup`.
    """

    name = "virtualenv"
    level = 3
    part = "virtualenv"
    plan_type = SwapPlan

    def __init__(self, site: Site, to: str | None, record: Record | None) -> None:
        super().__init__(site, to, record)
        settings = site.target.virtualenv
        if settings is None or settings.backup is None:
            raise TargetError(
                f"{site.target.source or site.target.name}: no `virtualenv.backup`: name the virtualenv and the copy "
                "of it to go back to; `python -m rollback snapshot virtualenv` takes one"
            )
        self.live = settings.path.rstrip("/")
        self.backup = settings.backup.rstrip("/")

    def survey(self, stamp: str, _last: Story | None, /) -> Survey[SwapPlan]:
        record = self.given or destination(self.site, self.to)
        status = self.status()
        works, seen, _ = ready(self.site, at_first=True)
        now = self._now()
        goal = f"virtualenv of {short(record)}"
        findings = [Finding(f"now: {started(status)}, {seen}")]
        right = now is not None and record.packages is not None and not venv.problems(now, record)
        fresh = right and now is not None and started_after(status, now.changed) and self._runs_from_it()
        already, source = "", self.backup
        if fresh and works:
            already = f"{self.live} is as recorded, {started(status)}, after it"
        else:
            chosen = self._choose(record)
            source = chosen.path
            if fresh:
                self._refuse_if_equal(source, started(status), seen)
            goal += f" ({source.rpartition('/')[2]})"
            findings = [self._whole(chosen, record), *findings]
            if record.packages is None:
                findings.append(
                    Finding(f"{record.name} says nothing of packages to compare with", doubt=True)
                )
        facts = self.site.host.facts(self.live)
        inode = facts.inode if facts else None
        plan = SwapPlan(
            was_ready=works and now is not None and now.found is not None,
            source=source,
            swaps=(swap("virtualenv", self.live, f"{self.live}.next.{stamp}", stamp, inode),),
            goal=goal,
            asked=self.to,
            record=record.name,
            expected_before=self.expected(),
        )
        return Survey(
            goal=goal,
            message=f"{source} to {self.live}",
            plan=plan,
            findings=tuple(findings),
            already=already,
        )

    def changes(self, plan: SwapPlan) -> tuple[Step, ...]:
        return (
            CopyBackup(self.site, plan.source, plan.swaps[0]),
            Switch(self.site, plan.swaps, self._check(plan)),
        )

    def evidence(self, _: SwapPlan, /) -> str:
        return runs_from(self.site, self.live, "virtualenv.path")

    def _check(self, plan: SwapPlan) -> Callable[[], str]:
        def check() -> str:
            record = self.site.records.get(plan.record) if plan.record else None
            wrong = venv.problems(venv.look(self.site, self.live, self.live), record)
            if wrong:
                raise StepFailed(f"{self.live} is not as it should be: {wrong[0]}")
            return f"packages are those of {plan.record}"

        return check

    def _now(self) -> Venv | None:
        """The live one; None where nothing is there."""
        try:
            return venv.look(self.site, self.live, self.live)
        except HostError:
            return None

    def _choose(self, record: Record) -> Venv:
        """The first backup, the newest first, that would work in the place of the live one. Raises Refused."""
        told = []
        for path in backups(self.site, self.backup):
            found = venv.look(self.site, path, self.live)
            wrong = venv.problems(found, record)
            if not wrong:
                return found
            told.append(f"{path}: {'; '.join(wrong)}")
        where = f"{self.backup} on {self.site.host.url}"
        if not told:
            raise Refused(
                f"{where}, the backup of the virtualenv, is not there; nothing was changed. With the service as it is, "
                "`python -m rollback files` installs what a backup of the code asks for"
            )
        raise Refused(
            f"no backup of the virtualenv is that of {short(record)} and whole: {' | '.join(told)}; nothing was "
            "changed. Name the record to go to with --to, or put a whole backup there"
        )

    def _whole(self, chosen: Venv, record: Record) -> Finding:
        assert chosen.found is not None
        count = f"{len(chosen.found.packages)} packages, Python {chosen.found.python}"
        as_recorded = f", as recorded for {record.name}" if record.packages is not None else ""
        return Finding(
            f"{chosen.path}: {count}{as_recorded}; they fit together, its scripts point to {self.live}"
        )

    def _runs_from_it(self) -> bool:
        try:
            runs_from(self.site, self.live, "virtualenv.path")
        except StepFailed:
            return False
        return True

    def _refuse_if_equal(self, source: str, process: str, seen: str) -> None:
        """What the live one says of itself is right: only where a file differs does going back mend anything."""
        if folder.same(self.site, self.live, source, code=True):
            raise Refused(
                f"{self.live} is what {source} is, {process}, after it, and {seen}: going to it mends nothing. Nothing "
                "was changed; `python -m checks triage` says what does"
            )


def backups(site: Site, backup: str) -> list[str]:
    """The backup and those that `snapshot` kept of before, the newest first."""
    parent, _, name = backup.rpartition("/")
    names = site.host.list(parent or "/")
    older = sorted((each for each in names if each.startswith(f"{name}.previous.")), reverse=True)
    return [f"{parent}/{each}" for each in ([name] if name in names else []) + older]
