"""An action: one rollback procedure of the runbook, with its level and its steps."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import msgspec

from rollback.journal import Story
from rollback.restart import Restart
from rollback.site import Site
from rollback.step import Finding, Step


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that carrying out, resuming and undoing a run needs; it is in the journal, so it holds no secret.

    `was_ready` is whether the service worked before: only then does the way back have to end in a service that works.
    `pid` was its main process then, which tells it from a later one also when the host's clock was set meanwhile.
    """

    was_ready: bool
    pid: int | None = None


P = TypeVar("P", bound=Plan)


class Survey(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """What was found before anything is changed.

    `goal` are the words of the first line of output, `message` what the lock says. `already` says why there is nothing
    to do, and is empty otherwise.
    """

    goal: str
    message: str
    plan: P
    findings: tuple[Finding, ...]
    already: str = ""


class Action(ABC, Generic[P]):
    """What the engine carries out. `name` is the word of the command line; `level` gives the time budget.

    Its steps are its `changes`, then a restart of the service where it `restarts`, then its `proofs` of what runs.
    """

    name: str
    level: int
    plan_type: type[P]
    restarts: bool = True
    site: Site

    @abstractmethod
    def survey(self, stamp: str, last: Story | None) -> Survey[P]:
        """Look at everything, change nothing. `stamp` is the run's time, for names; `last` the last run that ended.

        Raises Refused, or TargetError when the target does not offer what the action needs.
        """

    @abstractmethod
    def seal(self, plan: P) -> P:
        """The plan with what may only be found out under the lock, since it writes to the state folder."""

    @abstractmethod
    def changes(self, plan: P) -> tuple[Step, ...]:
        """The steps that change what is on disk or in a store."""

    @abstractmethod
    def proofs(self, plan: P) -> tuple[Step, ...]:
        """The steps that prove the state that the action is for, once the service was restarted."""

    @abstractmethod
    def changed(self, plan: P) -> float:
        """When what runs was last switched, by the host's clock: only a younger process can have it."""

    def reverts(self, plan: P) -> bool:
        """Whether an undo would bring anything back: not where the service was restarted, and nothing else changed."""
        return any(step.undoes for step in self.changes(plan))

    def steps(self, plan: P) -> tuple[Step, ...]:
        """All steps, in order."""
        if not self.restarts:
            return (*self.changes(plan), *self.proofs(plan))
        restart = Restart(self.site, lambda: self.changed(plan), was_ready=plan.was_ready, pid=plan.pid)
        return (*self.changes(plan), restart, *self.proofs(plan))

    @abstractmethod
    def learn(self, plan: P) -> None:
        """Teach the redactor the secrets in the plan's files, before an earlier run is gone on with or taken back."""

    @abstractmethod
    def check_resume(self, plan: P, *, back: bool) -> None:
        """Whether to go on with an unfinished run (or its way `back`) is what was asked, and safe. Raises Refused."""

    @abstractmethod
    def check_undo(self, plan: P) -> list[Finding]:
        """Whether the run can be taken back. Raises Refused."""

    @abstractmethod
    def goal_of(self, plan: P) -> str:
        """The words of the first line of output for a plan from a journal."""

    @abstractmethod
    def state(self, plan: P) -> list[str]:
        """Precisely what state everything is in, a line each, for when nothing else is left. Never raises HostError."""
