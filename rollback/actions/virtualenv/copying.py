"""The step that copies a backup beside what it is to replace; the backup stays."""

import shlex

from rollback import folder
from rollback.errors import StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from rollback.swap import Swap, look


class CopyBackup(Step):
    """Copies `source`, a folder, to where the swap takes it from."""

    timeout_s = 900.0

    def __init__(self, site: Site, source: str, swap: Swap) -> None:
        self.site = site
        self.source = source
        self.swap = swap
        self.name = f"copy {source.rpartition('/')[2]}"

    @property
    def commands(self) -> tuple[str, ...]:
        return (shlex.join(["cp", "-a", self.source, self.swap.next]),)

    @property
    def undoes(self) -> str:
        return f"remove {self.swap.next}"

    def preflight(self) -> list[Finding]:
        parent = self.swap.live.rpartition("/")[0] or "/"
        return [folder.check_room(self.site, self.source, self.swap.live, parent)]

    def apply(self, course: Course, /) -> None:
        if course.again and look(self.site, [self.swap])[0].begun:
            return
        course.report(f"to {self.swap.next}")
        folder.copy(self.site, self.source, self.swap.next, like=self.swap.live, timeout_s=course.left())

    def verify(self) -> str:
        if look(self.site, [self.swap])[0].switched:
            return f"{self.source} is in place already"
        if not folder.same(self.site, self.source, self.swap.next):
            raise StepFailed(f"{self.swap.next} is not what {self.source} is")
        return f"{self.swap.next.rpartition('/')[2]} is whole"

    def undo(self, _: Course, /) -> str:
        folder.remove(self.site, self.swap.next)
        return f"{self.source} stays, its copy is removed"
