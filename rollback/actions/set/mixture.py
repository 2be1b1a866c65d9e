"""The last step of a set: whether anything that now runs is of another release than the rest."""

from collections.abc import Sequence

from rollback.difference import Part, compare
from rollback.errors import StepFailed
from rollback.readiness import ready
from rollback.site import Site
from rollback.step import Course, Finding, Step

# What each action answers for; any of code and image brings the version that is served.
BRINGS: dict[str, frozenset[Part]] = {
    "git": frozenset({"code", "version"}),
    "files": frozenset({"code", "version"}),
    "virtualenv": frozenset({"packages"}),
    "environment": frozenset({"environment"}),
    "containers": frozenset({"image", "version"}),
}


class NoMixture(Step):
    """Compares everything that the target offers with the record once more.

    What one of the `actions` answers for and is not as recorded is a failure; the rest is named.
    """

    name = "look for a mixture"

    def __init__(self, site: Site, record: str, actions: Sequence[str]) -> None:
        self.site = site
        self.record = record
        self.brought: frozenset[Part] = frozenset().union(*(BRINGS[name] for name in actions))
        self._seen = ""

    @property
    def commands(self) -> tuple[str, ...]:
        return (f"compare version, code, packages, environment and image with the record {self.record}",)

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, _: Course, /) -> None:
        self._seen = self._look()

    def verify(self) -> str:
        return self._seen or self._look()

    def undo(self, _: Course, /) -> str:
        return "nothing was changed by it"

    def _look(self) -> str:
        _, seen, health = ready(self.site)
        if health is None:
            raise StepFailed(f"the service was ready, and now: {seen}")
        found = compare(self.site, self.site.records.get(self.record), health)
        others = [*found.differs, *found.untold]
        wrong = [each.says for each in others if each.part in self.brought]
        if wrong:
            raise StepFailed(f"a mixture: {'; '.join(wrong)}")
        if others:
            left = "; ".join(each.says for each in others)
            return f"A MIXTURE with what was not rolled back: {left}"
        return f"none: {', '.join(found.compared)} are those of {self.record}"
