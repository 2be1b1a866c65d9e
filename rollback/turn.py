"""One run, written into its journal as it goes: forward through the steps, or back."""

import time
from collections.abc import Callable
from typing import Generic

import msgspec

from rollback import journal
from rollback.action import Action, P
from rollback.budget import Budget
from rollback.errors import LockLost, StepFailed
from rollback.journal import Journal
from rollback.progress import Progress
from rollback.result import Outcome, StepResult
from rollback.step import Course, Step
from target.errors import HostError, TargetError


class Finish(msgspec.Struct, frozen=True):
    """How it ended, what was done in this call, and what failed."""

    outcome: Outcome
    steps: tuple[StepResult, ...]
    why: str


def undo_order(steps: tuple[Step, ...]) -> list[Step]:
    """Backwards, with the steps that settle what runs after those that put things back."""
    return [step for step in reversed(steps) if not step.settles] + [step for step in steps if step.settles]


class Turn(Generic[P]):
    """One run being written on: forward through the steps, or back."""

    def __init__(
        self,
        action: Action[P],
        plan: P,
        book: Journal,
        progress: Progress,
        *,
        still_held: Callable[[], None],
        stop: Callable[[], bool],
        budget: Budget,
    ) -> None:
        self.progress = progress
        self.book = book
        self.still_held = still_held
        self.stop = stop
        self.budget = budget
        self.steps = action.steps(plan)
        self.results: list[StepResult] = []

    def forward(self, applied: set[int], begun: set[int]) -> Finish:
        """Apply what is not applied yet. `applied` and `begun` were journaled before: verified again, not believed."""
        before = set(begun)
        for number, step in enumerate(self.steps, 1):
            name = f"{number} {step.name}"
            try:
                if number in applied and (evidence := self._still_so(step)) is not None:
                    self.progress.entry(name, f"done before: {evidence}")
                    continue
            except HostError as error:
                return self._result("interrupted", str(error))
            if self.stop():
                return self._interrupted(number, name)
            try:
                self.still_held()
                self.book.append(
                    journal.Intent(at=journal.now(), step=number, name=step.name, does=step.commands)
                )
            except HostError as error:
                return self._failed(number, step, error, begun, 0.0)
            begun.add(number)
            began = time.monotonic()
            try:
                with self.progress.running(name, self.budget.says) as report:
                    step.apply(self._course(step, report, again=number in before))
                    evidence = step.verify()
                took = time.monotonic() - began
                self.book.append(
                    journal.Done(
                        at=journal.now(), step=number, name=step.name, evidence=evidence, seconds=took
                    )
                )
            except LockLost:
                raise
            except TargetError as error:
                if self.stop():
                    return self._interrupted(number, name)
                return self._failed(number, step, error, begun, time.monotonic() - began)
            self._tell(name, evidence, took)
        return self._end("done", "done")

    def back(self, begun: set[int] | None, *, asked: bool, why: str = "") -> Finish:
        """Undo the steps that may have changed something (`begun`; None: all), whatever the journal can still take."""
        numbers = {id(step): number for number, step in enumerate(self.steps, 1)}
        chosen = [step for step in self.steps if begun is None or numbers[id(step)] in begun]
        stopped = any(step.stops for step in chosen)
        for step in undo_order(self.steps):
            number = numbers[id(step)]
            if not step.undoes or not (step in chosen or (stopped and step.settles)):
                continue
            name = f"{number} {step.name}, back"
            began = time.monotonic()
            try:
                self.still_held()
                self._try_append(
                    journal.UndoIntent(at=journal.now(), step=number, name=step.name, does=step.undoes)
                )
                with self.progress.running(name, self.budget.says) as report:
                    # On the way back there is no stopping half-way.
                    evidence = step.undo(self._course(step, report, again=True, stop=lambda: False))
            except LockLost:
                raise
            except TargetError as error:
                self._tell_failure(name, error, time.monotonic() - began)
                self._try_append(self._failure(number, step, error))
                return self._end(
                    "not undone", "failed and not undone", why=f"{why}; then: {error}" if why else str(error)
                )
            took = time.monotonic() - began
            self._try_append(
                journal.Undone(at=journal.now(), step=number, name=step.name, evidence=evidence, seconds=took)
            )
            self._tell(name, evidence, took)
        return self._end("undone", "undone" if asked else "failed and undone", why=why)

    def _failed(self, number: int, step: Step, error: TargetError, begun: set[int], took: float) -> Finish:
        self._tell_failure(f"{number} {step.name}", error, took)
        self._try_append(self._failure(number, step, error))
        return self.back(begun, asked=False, why=str(error))

    def _interrupted(self, number: int, name: str) -> Finish:
        self.progress.entry(name, "interrupted before it was done", tone="doubt")
        self._try_append(journal.Interrupted(at=journal.now(), before_step=number))
        return self._result("interrupted", "")

    def _still_so(self, step: Step) -> str | None:
        try:
            return step.verify()
        except StepFailed:
            return None

    def _course(
        self,
        step: Step,
        report: Callable[[str], None],
        *,
        again: bool,
        stop: Callable[[], bool] | None = None,
    ) -> Course:
        return Course(time.monotonic() + step.timeout_s, report, stop or self.stop, again)

    def _failure(self, number: int, step: Step, error: TargetError) -> journal.Failed:
        logs = error.evidence if isinstance(error, StepFailed) else ()
        return journal.Failed(at=journal.now(), step=number, name=step.name, why=str(error), logs=logs)

    def _try_append(self, line: journal.AnyLine) -> None:
        """On the way back a journal that takes no more must not keep the old state from being restored."""
        try:
            self.book.append(line)
        except HostError as error:
            self.progress.line(f"the journal takes no more lines: {error}", "doubt")

    def _tell(self, name: str, evidence: str, took: float) -> None:
        self.results.append(StepResult(name, evidence, took))
        self.progress.entry(name, evidence, took)

    def _tell_failure(self, name: str, error: TargetError, took: float) -> None:
        self.progress.entry(name, f"failed: {error}", took, tone="bad")
        if isinstance(error, StepFailed):
            for text in error.evidence:
                self.progress.line(f"      {text}")

    def _end(self, ending: journal.Ending, outcome: Outcome, why: str = "") -> Finish:
        last = journal.End(at=journal.now(), outcome=ending, seconds=self.budget.used)
        if ending != "done":
            self._try_append(last)
            return self._result(outcome, why)
        try:
            self.book.append(last)
        except HostError as error:
            return self._result(
                "interrupted", f"all is done and proven, but the journal cannot be ended: {error}"
            )
        return self._result(outcome, why)

    def _result(self, outcome: Outcome, why: str) -> Finish:
        return Finish(outcome, tuple(self.results), why)
