"""The step that remembers the choice on the host, for the checks: what differs from the record does so on purpose."""

from rollback.errors import StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target import choice as choices
from target.choice import Choice


class Remember(Step):
    """Keeps `choice` in the state folder in place of the one `before`."""

    name = "remember the choice"

    def __init__(self, site: Site, choice: Choice, before: Choice | None) -> None:
        self.site = site
        self.choice = choice
        self.before = before
        self.path = choices.path(site.state_dir)

    @property
    def commands(self) -> tuple[str, ...]:
        return (f"write {self.path}: {self.choice.says}",)

    @property
    def undoes(self) -> str:
        return f"forget it: {self.path} is as before"

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, _: Course, /) -> None:
        if self._kept() != self.choice:
            self.site.host.write_atomically(self.path, choices.render(self.choice))

    def verify(self) -> str:
        if self._kept() != self.choice:
            raise StepFailed(f"{self.path} does not hold the choice")
        return self.choice.says

    def undo(self, _: Course, /) -> str:
        if self._kept() != self.before:
            if self.before is None:
                self.site.host.remove(self.path)
            else:
                self.site.host.write_atomically(self.path, choices.render(self.before))
        return self.before.says if self.before else "there was none before"

    def _kept(self) -> Choice | None:
        return choices.read(self.site.host, self.site.state_dir)
