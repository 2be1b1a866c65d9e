"""The engine: carries out any action under the lock, with a journal, so that a crash at any point can be mended."""

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from typing import Generic

import msgspec

from rollback import clock, journal
from rollback.action import Action, P
from rollback.budget import Budget
from rollback.catalogue import level_says
from rollback.errors import Refused
from rollback.journal import Begin, Journal, Journals, Story
from rollback.leftover import wait_for_earlier
from rollback.lock import Held, Lock, whoami
from rollback.progress import Progress
from rollback.rehearsal import Rehearsal, rehearsed, roughly
from rollback.restart import controllable
from rollback.result import PlannedStep, Result
from rollback.site import Site
from rollback.step import Finding, Step
from rollback.turn import Finish, Turn, undo_order
from target.errors import TargetError


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for. Without `resume` and `undo` an unfinished run is resumed, or else a new one begun.

    `abandon` (why, None for not asked) ends one as it stands. `surely` lets `break_lock` break even the lock of a
    process that still runs.
    """

    dry_run: bool = False
    resume: bool = False
    undo: bool = False
    break_lock: bool = False
    surely: bool = False
    abandon: str | None = None


class Engine(Generic[P]):
    """One action on one host.

    `confirm` is asked once, before the first change, and raises Refused to stop; `stop` says whether the person wants
    it to stop at the next chance (Ctrl-C).
    """

    def __init__(
        self,
        action: Action[P],
        site: Site,
        progress: Progress,
        *,
        confirm: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.action = action
        self.site = site
        self.progress = progress
        self.confirm = confirm
        self.stop = stop
        self.lock = Lock(site.host, site.state_dir)
        self.journals = Journals(site.host, site.state_dir, site.redactor)
        self.budget = Budget(action.level)

    def carry_out(self, order: Order) -> Result:
        """Do what was asked. Raises Refused with nothing changed, LockLost, TargetError (unusable target)."""
        self.budget = Budget(self.action.level)
        held = self.lock.look()
        note = self.lock.judge(held, break_lock=order.break_lock, surely=order.surely)
        last = self.journals.newest()
        if last is not None and last.open and last.begin.action != self.action.name:
            raise Refused(last.comes_first)
        if order.abandon is not None:
            return self._abandon(order, order.abandon, held, note, last)
        if order.undo:
            return self._take_back(order, held, note, last)
        if last is not None and last.open:
            return self._resume(order, held, note, last)
        if (
            order.resume
            and last is not None
            and last.ending == "done"
            and last.begin.action == self.action.name
        ):
            # It had been done and proven, and only the answer to its last line was lost.
            return self._result(Finish("nothing to do", (), self._ended(last)), "")
        if order.resume:
            raise Refused(f"nothing to resume: {self._ended(last)}")
        return self._begin(order, held, note, last)

    def state(self, run: str) -> list[str]:
        """What everything of a run is now, a line each; says so where that cannot be told."""
        try:
            story = self.journals.story(run)
            return [] if story is None else self.action.state(self._plan_of(story))
        except TargetError as error:
            return [f"what state things are in cannot be told: {error}"]

    def _begin(self, order: Order, held: Held | None, note: str, last: Story | None) -> Result:
        known = self.journals.runs()
        run = self.journals.free_run(self.action.name, self.site.host.now(), known)
        survey = self.action.survey(run.partition("-")[0], last)
        self._head(survey.goal, "dry run" if order.dry_run else "")
        if survey.already:
            if held is not None and not order.dry_run:
                self.lock.clear(held)
            return self._result(Finish("nothing to do", (), survey.already), survey.goal)
        steps = self.action.steps(survey.plan)
        findings = [*survey.findings, *(finding for step in steps for finding in step.preflight())]
        self._preflight(findings, note, every=order.dry_run)
        if order.dry_run:
            return self._show(steps, survey.goal)
        self._announce(steps)
        if not self._may_begin():
            return self._stopped(survey.goal)
        with self.lock.hold(f"{self.action.name}: {survey.message}", held, self._warn) as still_held:
            if held is not None:
                self._wait_for_earlier(run)
            if self.journals.runs() != known:
                raise Refused(
                    "another run was begun meanwhile: look at `python -m rollback status`, then run again"
                )
            plan = self._with_process(self.action.seal(survey.plan))
            book = self.journals.open(run)
            book.append(self._first_line(run, plan, None))
            with self._turn(plan, book, still_held) as turn:
                finish = turn.forward(set(), set())
        return self._result(finish, survey.goal, run, reverts=self.action.reverts(plan))

    def _resume(self, order: Order, held: Held | None, note: str, last: Story) -> Result:
        plan = self._plan_of(last)
        goal = self.action.goal_of(plan)
        self._head(goal, "dry run" if order.dry_run else "")
        way = "back to the state before" if last.back else "to its end"
        torn = f"; {last.torn} line of its journal was cut short by the crash" if last.torn else ""
        self.progress.entry(
            "unfinished", f"{last.run} by {last.begin.by}, {last.stands_at}: goes on {way}{torn}"
        )
        if note:
            self.progress.entry("lock", note, tone="doubt")
        self.action.check_resume(plan, back=last.back)
        if order.dry_run:
            return self._show(self.action.steps(plan), goal, back=last.back)
        self._announce(self.action.steps(plan), back=last.back)
        if not self._may_begin():
            return self._stopped(goal)
        with self.lock.hold(f"{self.action.name}: resuming {last.run}", held, self._warn) as still_held:
            self._wait_for_earlier(last.run, last.begin.undoes)
            book = self.journals.open(last.run)
            book.append(journal.Resume(at=journal.now(), by=whoami(), pid=os.getpid()))
            with self._turn(plan, book, still_held) as turn:
                finish = (
                    turn.back(last.to_undo, asked=last.asked_back)
                    if last.back
                    else turn.forward(last.applied, last.begun)
                )
        return self._result(finish, goal, last.run, reverts=self.action.reverts(plan))

    def _take_back(self, order: Order, held: Held | None, note: str, last: Story | None) -> Result:
        if last is None or not last.open:
            last = self._to_take_back(last)
        plan = self._plan_of(last)
        goal = f"undo of {last.run}"
        self._head(goal, "dry run" if order.dry_run else "")
        if not self.action.reverts(plan):
            raise Refused(f"nothing to undo: {last.run} restarted the service and changed nothing else")
        self._preflight(self.action.check_undo(plan), note)
        if order.dry_run:
            return self._show(self.action.steps(plan), goal, back=True)
        self._announce(self.action.steps(plan), back=True)
        if not self._may_begin():
            return self._stopped(goal)
        with self.lock.hold(f"{self.action.name}: undoing {last.run}", held, self._warn) as still_held:
            self._wait_for_earlier(last.run, last.begin.undoes)
            run = last.run
            if last.open:
                book = self.journals.open(run)
                book.append(journal.Turn(at=journal.now(), by=whoami()))
            else:
                run = self.journals.free_run(self.action.name, self.site.host.now(), self.journals.runs())
                book = self.journals.open(run)
                book.append(self._first_line(run, plan, last.run))
            begun = last.to_undo if last.open else None
            with self._turn(plan, book, still_held) as turn:
                finish = turn.back(begun, asked=True)
        return self._result(finish, goal, run)

    def _abandon(self, order: Order, why: str, held: Held | None, note: str, last: Story | None) -> Result:
        """End an unfinished run as it stands: a line in its journal, and nothing else is changed."""
        if last is None or not last.open:
            raise Refused(f"nothing to abandon: {self._ended(last)}; nothing was changed")
        if not why.strip():
            raise Refused("--abandon takes the reason, for who reads it later; nothing was changed")
        goal = f"giving up {last.run}"
        self._head(goal, "dry run" if order.dry_run else "")
        self.progress.entry("unfinished", f"{last.run} by {last.begin.by}, {last.stands_at}", tone="bad")
        if note:
            self.progress.entry("lock", note, tone="doubt")
        if order.dry_run:
            return self._result(Finish("planned", (), ""), goal)
        if not self._may_begin():
            return self._stopped(goal)
        with self.lock.hold(f"{self.action.name}: abandoning {last.run}", held, self._warn):
            self._wait_for_earlier(last.run, last.begin.undoes)
            self.journals.open(last.run).append(
                journal.Abandoned(at=journal.now(), by=whoami(), why=why.strip())
            )
        return self._result(Finish("abandoned", (), why.strip()), goal, last.run)

    def _to_take_back(self, last: Story | None) -> Story:
        """The finished run of this action that nothing came after. Raises Refused."""
        name, standing = self.action.name, self.journals.standing()
        newest = next(standing, None)
        if newest is None:
            raise Refused(f"nothing to undo: {self._ended(last)}")
        if newest.begin.action == name:
            return newest
        if any(earlier.begin.action == name for earlier in standing):
            raise Refused(
                f"{newest.run} came later and has to be undone first: "
                f"python -m rollback {newest.begin.action} --undo"
            )
        raise Refused(
            f"nothing to undo: no run of {name} stands, there was none or it was undone; "
            f"the last that stands is {newest.run}; nothing was changed"
        )

    def _with_process(self, plan: P) -> P:
        """The plan with the process that runs before the first change."""
        if not self.action.restarts:
            return plan
        return msgspec.structs.replace(plan, pid=controllable(self.site).pid)

    def _plan_of(self, story: Story) -> P:
        try:
            plan = msgspec.convert(story.begin.plan, self.action.plan_type)
        except msgspec.ValidationError as error:
            raise Refused(
                f"{self.journals.path(story.run)}: its plan cannot be understood ({error}): it was written by another "
                "version of this tool; go on with that version"
            ) from error
        self.action.learn(plan)
        return plan

    def _first_line(self, run: str, plan: P, undoes: str | None) -> Begin:
        return Begin(
            at=journal.now(),
            run=run,
            action=self.action.name,
            level=self.action.level,
            budget_s=self.budget.seconds,
            target=self.site.target.name,
            host=self.site.host.url,
            by=whoami(),
            pid=os.getpid(),
            undoes=undoes,
            plan=msgspec.to_builtins(plan),
        )

    def _wait_for_earlier(self, *runs: str | None) -> None:
        """What undoes a run names that run in its commands, so that both are looked for."""
        signs = [*(run.partition("-")[0] for run in runs if run is not None), self.lock.folder]
        if self.site.controller is not None:  # as a list of processes shows it
            signs.append(" ".join(shlex.split(self.site.controller.commands("restart"))))
        with self.progress.running("earlier run") as report:
            wait_for_earlier(self.site.host, signs, report)

    def _head(self, goal: str, more: str) -> None:
        self.budget.level = self.action.level  # of a set, it is known by now which actions it is of
        target = self.site.target
        name = target.name if len(target.hosts) == 1 else f"{target.name} · {self.site.host.url}"
        words = [
            name,
            level_says(self.action.level),
            goal,
            f"budget {clock.budget(self.budget.seconds)}",
            more,
        ]
        self.progress.line(" · ".join(word for word in words if word))

    def _preflight(self, findings: list[Finding], note: str, *, every: bool = True) -> None:
        good = [finding for finding in findings if not finding.doubt]
        says = [f"{len(good)} of {len(findings)}", *(each.says for each in good if every or not each.minor)]
        self.progress.entry("preflight", " · ".join(says), self.budget.used)
        for finding in findings:
            if finding.doubt:
                self.progress.entry("  but", finding.says, tone="doubt")
        if note:
            self.progress.entry("  lock", note, tone="doubt")

    def _planned(self, steps: tuple[Step, ...], rehearsal: Rehearsal, *, back: bool) -> list[PlannedStep]:
        """The steps as they will be carried out, in that order."""
        numbered = {id(step): number for number, step in enumerate(steps, 1)}
        chosen = [step for step in undo_order(steps) if step.undoes] if back else steps
        return [
            PlannedStep(
                f"{numbered[id(step)]} {step.name}{', back' if back else ''}",
                (step.undoes,) if back else step.commands,
                rehearsal.steps.get(step.name),
            )
            for step in chosen
        ]

    def _announce(self, steps: tuple[Step, ...], *, back: bool = False) -> None:
        """What will be changed, a line a step, before the first change."""
        self.progress.line("  will do")
        for step in self._planned(steps, Rehearsal(), back=back):
            self.progress.brief(f"  {step.name}", "; ".join(step.does))

    def _show(self, steps: tuple[Step, ...], goal: str, *, back: bool = False) -> Result:
        """The plan, with each command and the time to expect; nothing is changed."""
        rehearsal = rehearsed(self.site.host, self.journals.folder, self.action.name, back=back)
        plan = self._planned(steps, rehearsal, back=back)
        for step in plan:
            took = "" if step.expected_s is None else f", {roughly(step.expected_s)}"
            self.progress.line(f"  {step.name}{took}")
            for command in step.does:
                self.progress.command(f"      {command}")
        self.progress.entry("expected time", rehearsal.says())
        return msgspec.structs.replace(
            self._result(Finish("planned", (), ""), goal),
            plan=tuple(plan),
            expected_s=rehearsal.seconds if rehearsal.runs else None,
            rehearsals=rehearsal.runs,
        )

    def _may_begin(self) -> bool:
        """Whether the person, asked where that is needed, still wants it. Raises Refused."""
        self.confirm()
        return not self.stop()

    def _stopped(self, goal: str) -> Result:
        return self._result(Finish("interrupted", (), "stopped before anything was changed"), goal)

    def _warn(self, text: str) -> None:
        self.progress.line(text, "doubt")

    @staticmethod
    def _ended(last: Story | None) -> str:
        if last is None:
            return "no action has been run on this host"
        if last.begin.undoes is not None:
            return f"the last run, {last.run}, was itself the undo of {last.begin.undoes}"
        if last.ending == "abandoned":
            return f"the last run, {last.run}, was abandoned as it stood"
        if last.ending == "undone":
            return f"the last run, {last.run}, was undone already"
        return f"the last run, {last.run}, was finished"

    @contextlib.contextmanager
    def _turn(self, plan: P, book: Journal, still_held: Callable[[], None]) -> Iterator[Turn[P]]:
        with self.budget.watched(self.progress.notice):
            yield Turn(
                self.action,
                plan,
                book,
                self.progress,
                still_held=still_held,
                stop=self.stop,
                budget=self.budget,
            )

    def _result(self, finish: Finish, goal: str, run: str | None = None, *, reverts: bool = False) -> Result:
        return Result(
            host=self.site.host.url,
            action=self.action.name,
            outcome=finish.outcome,
            goal=goal,
            run=run,
            journal=None if run is None else self.journals.path(run),
            steps=finish.steps,
            seconds=self.budget.used,
            budget_s=self.budget.seconds,
            why=finish.why,
            reverts=reverts,
        )
