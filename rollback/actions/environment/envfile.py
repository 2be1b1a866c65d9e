"""The plan of a run, and the step that puts one environment file in the place of another."""

import shlex

from rollback import onefile
from rollback.onefile import FilePlan
from rollback.site import Site


class EnvironmentPlan(FilePlan, frozen=True, kw_only=True):
    """`file` is replaced by the bytes of `source`; `changes` names the variables that differ.

    `restart_only`: the file is in place, the process is not. `named`: by the person, with --to.
    """

    source: str
    restart_only: bool
    named: bool
    record: str | None
    expected_before: str | None


class Switch(onefile.Switch):
    """Puts the previous environment file in place."""

    plan: EnvironmentPlan

    def __init__(self, site: Site, plan: EnvironmentPlan) -> None:
        super().__init__(site, plan, plan.source)

    @property
    def making(self) -> str:
        return shlex.join(["cp", "-p", self.source, self.plan.beside])

    def make(self) -> None:
        self.site.host.copy_beside(self.source, self.plan.beside)

    def elsewhere(self) -> bool:
        return self.files.hash(self.source) == self.plan.new

    def verify(self) -> str:
        as_recorded = f" · as recorded for {self.plan.record}" if self.plan.record else ""
        return f"{super().verify()}{as_recorded}"
