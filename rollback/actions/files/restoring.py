"""The step that copies code and requirements beside the live ones; the backup stays."""

import shlex

from rollback import folder
from rollback.actions.files.plan import FilesPlan
from rollback.errors import StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from rollback.swap import Swap, look
from target import capture
from target.errors import HostError


class RestoreBeside(Step):
    """Copies what the swaps of code take, without what Python has compiled, and verifies it by its hash."""

    name = "copy code beside"
    timeout_s = 300.0

    def __init__(self, site: Site, plan: FilesPlan, swaps: tuple[Swap, ...]) -> None:
        self.site = site
        self.plan = plan
        self.swaps = swaps

    def _source(self, swap: Swap) -> str:
        assert self.site.target.code is not None
        return self.plan.source + swap.live.removeprefix(self.site.target.code.checkout)

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(shlex.join(["cp", "-a", self._source(swap), swap.next]) for swap in self.swaps)

    @property
    def undoes(self) -> str:
        return f"remove {', '.join(swap.next for swap in self.swaps)}"

    def preflight(self) -> list[Finding]:
        return [
            folder.check_room(self.site, self._source(swap), swap.live, swap.live.rpartition("/")[0] or "/")
            for swap in self.swaps
        ]

    def apply(self, course: Course, /) -> None:
        if course.again and any(seen.begun for seen in look(self.site, self.swaps)):
            return
        for swap in self.swaps:
            course.report(f"to {swap.next}")
            folder.copy(
                self.site,
                self._source(swap),
                swap.next,
                like=swap.live,
                code=True,
                timeout_s=course.left(),
            )

    def verify(self) -> str:
        seen = look(self.site, self.swaps)
        if all(each.switched for each in seen):
            return f"{self.plan.source} is in place already"
        if any(each.begun for each in seen):
            return "whole, and the switch has begun"
        try:
            found = capture.code(self.site.target, self.site.host, suffix=self.plan.suffix)
        except HostError as error:
            raise StepFailed(str(error)) from error
        if found.tree_sha256 != self.plan.tree:
            raise StepFailed(f"what was copied is not what {self.plan.source} was in the preflight")
        return f"{len(found.files)} files, as hashed in the preflight"

    def undo(self, _: Course, /) -> str:
        for swap in self.swaps:
            folder.remove(self.site, swap.next)
        return f"{self.plan.source} stays, its copy is removed"
