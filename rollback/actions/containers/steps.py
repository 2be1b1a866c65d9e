"""The plan of a run, and its own steps: have the image on the host, and pin it in the compose file."""

import shlex

from rollback import onefile
from rollback.actions.containers.image import images, short
from rollback.actions.containers.span import Edit
from rollback.errors import StepFailed
from rollback.migration import Migration
from rollback.onefile import FilePlan
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.errors import HostError

_PULL_S = 900.0


class ContainersPlan(FilePlan, frozen=True, kw_only=True):
    """The compose `file` gets `edit`, after which the service has the image named `pin`, whose ID is `image`.

    `pull` is what to pull, empty where the image is on the host. `restart_only`: the file is right, what runs is not.
    `named`: the image was named by the person. `before` is the image that the file named, empty where it named none.
    """

    edit: Edit
    image: str
    pin: str
    pull: str
    restart_only: bool
    named: bool
    to: str | None
    record: str | None
    expected_before: str | None
    migration: Migration | None = None
    before: str = ""


class Pull(Step):
    """Has the image on the host, before anything that runs is touched; it stays there whatever comes."""

    name = "pull"
    timeout_s = _PULL_S

    def __init__(self, site: Site, plan: ContainersPlan) -> None:
        self.site = site
        self.plan = plan

    @property
    def commands(self) -> tuple[str, ...]:
        return (shlex.join(["docker", "pull", self.plan.pull]),)

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        return []  # the survey has asked the engine, or the registry

    def apply(self, course: Course, /) -> None:
        if images(self.site, self.plan.pin) == [None]:
            course.report(f"pulling {self.plan.pull}")
            try:
                self.site.host.must(["docker", "pull", "--quiet", self.plan.pull], timeout_s=course.left())
            except HostError as error:
                raise StepFailed(f"the image cannot be pulled: {error}") from error

    def verify(self) -> str:
        (found,) = images(self.site, self.plan.pin)
        if found is None or found.id != self.plan.image:
            raise StepFailed(
                f"{self.plan.pin} is {found.id if found else 'no image'} on the host, and has to be {self.plan.image}"
            )
        return f"{short(self.plan.pin)} is there, image {self.plan.image[7:19]}"

    def undo(self, _: Course, /) -> str:
        return "the image stays on the host"


class Pin(onefile.Switch):
    """Changes the one span of the compose file."""

    plan: ContainersPlan

    def __init__(self, site: Site, plan: ContainersPlan) -> None:
        super().__init__(site, plan, plan.kept)

    @property
    def making(self) -> str:
        where = f"bytes {self.plan.edit.start} to {self.plan.edit.end} of {self.plan.file}"
        return f"write {self.plan.beside}: {where} become {self.plan.edit.text!r}"

    def make(self) -> None:
        content = self.plan.edit.of(self.site.host.read(self.plan.kept))
        self.site.host.write_atomically(self.plan.beside, content)
