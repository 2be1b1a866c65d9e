"""The steps of a rollback by git: keep what lies there, switch, push, deploy; each undone exactly."""

import shlex

import msgspec

from rollback.action import Plan
from rollback.actions.git import scripts, switching
from rollback.actions.git.checkout import Checkout
from rollback.errors import Refused, StepFailed
from rollback.migration import Migration
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.errors import PastDeadline

_PUSH_S = 60.0
_LAST_LINES = 8


class Module(msgspec.Struct, frozen=True):
    """A submodule that is checked out, and the branch that its HEAD is on (empty: detached)."""

    path: str
    branch: str


class GitPlan(Plan, frozen=True, kw_only=True):
    """The checkout `folder` goes from `before` (on the branch `branch_before`, empty: detached) to `commit`.

    `branch` is made for it. `restart_only`: the commit is there, clean; the process is not. `stale`: what Python has
    compiled of other code, and would run, goes too. `to` is what the person named. `push` and `deploy`: whether those
    steps are part of it. `name` is the commit in words.
    """

    folder: str
    stamp: str
    commit: str
    name: str
    branch: str
    before: str
    branch_before: str
    restart_only: bool
    stale: bool = False
    to: str | None
    record: str | None
    expected_before: str | None
    push: bool
    deploy: bool
    modules: tuple[Module, ...]
    migration: Migration | None = None

    @property
    def kept(self) -> str:
        """The ref that keeps what lay in the work tree."""
        return f"refs/rollback/{self.stamp}/worktree"


class _GitStep(Step):
    def __init__(self, checkout: Checkout, plan: GitPlan) -> None:
        self.checkout = checkout
        self.site: Site = checkout.site
        self.plan = plan

    def preflight(self) -> list[Finding]:
        return []


class Keep(_GitStep):
    """Keeps everything that lies in the work tree, untracked files too, and the index, on a ref of its own."""

    name = "keep work tree"
    timeout_s = 120.0

    @property
    def commands(self) -> tuple[str, ...]:
        return (f"git commit-tree (changed and untracked files, never .env) as {self.plan.kept}",)

    @property
    def undoes(self) -> str:
        return ""

    def apply(self, course: Course, /) -> None:
        self._count = int(
            self.checkout.change(
                switching.KEEP,
                self.plan.stamp,
                self.plan.before,
                timeout_s=min(self.timeout_s, course.left()),
            )
        )

    def verify(self) -> str:
        if not hasattr(self, "_count"):
            if not self.checkout.now(self.plan.stamp, self.plan.branch).kept:
                raise StepFailed(f"{self.plan.kept} is not there")
            return f"on {self.plan.kept}"
        if not self._count:
            return "nothing to keep: it is clean"
        files = "1 file" if self._count == 1 else f"{self._count} files"
        return f"{files} of work on {self.plan.kept}"

    def undo(self, _: Course, /) -> str:
        return f"{self.plan.kept} stays, as evidence"


class Switch(_GitStep):
    """Brings work tree, index and HEAD to the commit, on a branch of its own; ignored files are left alone."""

    name = "switch code"
    timeout_s = 180.0

    @property
    def commands(self) -> tuple[str, ...]:
        plan = self.plan
        return (
            f"git branch {plan.branch} {plan.commit}",
            f"git read-tree -m -u {plan.kept} {plan.commit}; what is replaced lies in .git/rollback-{plan.stamp}",
            f"git symbolic-ref HEAD refs/heads/{plan.branch}",
        )

    @property
    def undoes(self) -> str:
        branch = self.plan.branch_before.removeprefix("refs/heads/") or "a detached HEAD"
        return f"back to {branch} at {self.plan.before[:7]}, with the changed and untracked files of before"

    def apply(self, course: Course, /) -> None:
        again = "again" if course.again else ""
        args = (self.plan.commit, self.plan.branch, again)
        self.checkout.change(
            switching.SWITCH, self.plan.stamp, *args, timeout_s=min(self.timeout_s, course.left())
        )

    def verify(self) -> str:
        now = self.checkout.now(self.plan.stamp, self.plan.branch)
        if now.head != self.plan.commit or now.branch != f"refs/heads/{self.plan.branch}":
            raise StepFailed(
                f"HEAD of {self.plan.folder} is at {now.head[:7]}, not at {self.plan.commit[:7]}"
            )
        if now.status.changed:
            raise StepFailed(
                f"{self.plan.folder} is not what {self.plan.commit[:7]} says: {some(now.status.changed)} differ"
            )
        return f"{self.plan.name} on branch {self.plan.branch}"

    def undo(self, course: Course, /) -> str:
        plan = self.plan
        modules = [word for module in plan.modules if module.branch for word in (module.path, module.branch)]
        found = self.checkout.change(
            switching.BACK,
            plan.stamp,
            *(plan.commit, plan.branch, plan.before, plan.branch_before, *modules),
            timeout_s=min(self.timeout_s, course.left()),
        )
        now = self.checkout.now(plan.stamp, plan.branch)
        if now.head != plan.before or now.branch != plan.branch_before:
            raise StepFailed(
                f"HEAD of {plan.folder} is at {now.head[:7]}, not at {plan.before[:7]} as before"
            )
        kept = f"; what was changed since is kept on {found}" if found else ""
        where = plan.branch_before.removeprefix("refs/heads/") or "a detached HEAD"
        return f"{where} at {plan.before[:7]} again, with the work tree of before{kept}"


class Forget(_GitStep):
    """Removes what Python has compiled of other code and would run: its source had the same time and size."""

    name = "forget compiled"

    @property
    def commands(self) -> tuple[str, ...]:
        return ("remove from __pycache__ what Python would run, and is not what the source beside it says",)

    @property
    def undoes(self) -> str:
        return ""

    def apply(self, _: Course, /) -> None:
        self._gone = self.checkout.stale(forget=True)

    def verify(self) -> str:
        if left := self.checkout.stale():
            raise StepFailed(f"Python would still run what it has compiled of other code for {some(left)}")
        return f"of {some(gone)}" if (gone := getattr(self, "_gone", [])) else "none is left"

    def undo(self, _: Course, /) -> str:
        return "Python compiles anew what it runs"


class Push(_GitStep):
    """Pushes the branch, with a lease: it must not be there. Nothing else is ever pushed, and nothing by force."""

    name = "push branch"
    timeout_s = 2 * _PUSH_S

    @property
    def commands(self) -> tuple[str, ...]:
        lease = f"--force-with-lease=refs/heads/{self.plan.branch}:"
        return (f"git push {lease} {self.checkout.remote} {self.plan.branch}",)

    @property
    def undoes(self) -> str:
        return f"delete {self.plan.branch} from {self.checkout.remote}, where it is still at {self.plan.commit[:7]}"

    def preflight(self) -> list[Finding]:
        why = self._push("--dry-run")
        if why:
            raise Refused(
                f"{self.checkout.remote} would not take the branch {self.plan.branch}: {why}; nothing was changed. "
                "Mend that, or leave the push out (without --push, and code.push: false)"
            )
        return [Finding(f"{self.checkout.remote} takes branches", minor=True)]

    def apply(self, _: Course, /) -> None:
        why = self._push("")
        if why:
            raise StepFailed(
                f"{self.checkout.remote} rejected the branch {self.plan.branch}: {why}; leave the push out (without "
                "--push, and code.push: false) to roll back without it"
            )

    def verify(self) -> str:
        args = (self.checkout.remote, self.plan.branch, self.plan.commit)
        why = self.checkout.attempt(scripts.PUSHED, self.plan.stamp, *args, timeout_s=_PUSH_S)
        if why:
            raise StepFailed(f"{self.plan.branch} is not on {self.checkout.remote}: {why}")
        return f"{self.plan.branch} is on {self.checkout.remote}"

    def undo(self, _: Course, /) -> str:
        branch, remote = self.plan.branch, self.checkout.remote
        args = (remote, branch, self.plan.commit)
        why = self.checkout.attempt(scripts.UNPUSH, self.plan.stamp, *args, timeout_s=_PUSH_S)
        return f"{branch} stays on {remote}: {why}" if why else f"{branch} is not on {remote}"

    def _push(self, option: str) -> str:
        args = (self.checkout.remote, self.plan.branch, self.plan.commit, option)
        return self.checkout.attempt(scripts.PUSH, self.plan.stamp, *args, timeout_s=_PUSH_S)


class Deploy(_GitStep):
    """Runs the target's own command in the checkout; on the way back again, once the code of before is there.

    There its failure is told and stops nothing: the restart with the code of before matters more.
    """

    name = "deploy"
    settles = True

    def __init__(self, checkout: Checkout, plan: GitPlan, command: str, deploy_s: float) -> None:
        super().__init__(checkout, plan)
        self.command = command
        self.deploy_s = deploy_s
        self.timeout_s = deploy_s + 30.0
        self._said = ""

    @property
    def commands(self) -> tuple[str, ...]:
        return (f"cd {shlex.quote(self.plan.folder)} && {self.command}",)

    @property
    def undoes(self) -> str:
        return f"{self.commands[0]}    (again, with the code of before)"

    def apply(self, course: Course, /) -> None:
        course.report(self.command)
        why, lines = self._deploy(course.left())
        if why:
            raise StepFailed(f"code.deploy ({self.command}) {why}", lines)
        self._said = lines[-1] if lines else ""

    def verify(self) -> str:
        return self._said or f"{self.command}: status 0"

    def undo(self, course: Course, /) -> str:
        why, lines = self._deploy(course.left())
        if why:
            last = f": {lines[-1]}" if lines else ""
            return f"code.deploy {why} with the code of before too{last}; look at it: {self.commands[0]}"
        return f"{self.command}: status 0, with the code of before"

    def _deploy(self, left: float) -> tuple[str, tuple[str, ...]]:
        """Why it failed, empty where it did not, and the last lines that it printed, redacted."""
        words = (self.plan.folder, self.plan.stamp, self.command)
        limit = min(self.deploy_s, left)
        try:
            ran = self.site.host.shell(scripts.DEPLOY, *words, timeout_s=limit)
        except PastDeadline:
            return f"did not end within {limit:g} s", ()
        lines = ran.stdout.strip().splitlines()[-_LAST_LINES:]
        return "" if ran.ok else f"ended with status {ran.status}", tuple(map(self.site.redactor.text, lines))


def some(names: tuple[str, ...] | list[str]) -> str:
    """The first names, and how many more."""
    shown = ", ".join(repr(name) if not name.isprintable() else name for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
