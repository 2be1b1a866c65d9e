"""Faults of a container, on the compose project: another image runs than should, or none that serves.

What is made for them is made from the stable release by nothing but another command, so that any image will do.
"""

import json
import re
import tempfile
from pathlib import Path

from drills.faults.fault import Fault, FaultError, Place
from drills.images import engine, naming
from drills.stacks.containers import inventory
from drills.stacks.containers.project import LATEST, STABLE, Project
from drills.stacks.containers.stack import ContainersStack
from drills.stacks.stack import Stack
from target.compose import Container
from target.wait import Seen, eventually

_PART = "container"
_STACKS = ("containers",)
_ACTION = "containers"
_BROKEN = "broken"
_STABLE_ID = "stable"
_KILLED = re.compile(r"oom_kill [1-9]")
_LANDS_S = 45.0
_ANOTHER = ("version_matches_record", "revision_matches_record", "image_matches_record")
# Our newest release cuts sentences off.
_WORSE = ("tts_success_rate", "tts_audio_valid", "tts_word_error_rate")
_DOWN = ("service_ready", "image_matches_record")


def project_of(stack: Stack) -> Project:
    """The compose project of a stack. Raises FaultError where a stack has none."""
    if not isinstance(stack, ContainersStack):
        raise FaultError(
            f"a stack of {stack.kind} has no compose project; bring one up: python -m drills up --stack containers"
        )
    return Project(stack)


class ContainerFault(Fault, frozen=True, kw_only=True):
    """A fault of the compose project; healing brings back its file, its tags and its container."""

    part: str = _PART
    stacks: tuple[str, ...] = _STACKS
    cure: str | None = _ACTION

    def target_file(self, stack: Stack) -> Path:
        project = project_of(stack)
        project.ready()
        return project.target_file

    def prepare(self, at: Place) -> None:
        self.target_file(at.stack)
        project = project_of(at.stack)
        stable = engine.id_of(project.image(STABLE))
        if stable is None:
            raise FaultError(f"{self.name}: the engine has no image {project.image(STABLE)} to go back to")
        (at.saved / _STABLE_ID).write_text(stable)
        (at.saved / project.file.name).write_bytes(project.file.read_bytes())

    def heal(self, at: Place) -> None:
        project = project_of(at.stack)
        project.file.write_bytes((at.saved / project.file.name).read_bytes())
        for aside in project.folder.glob(f"{project.file.name}.*"):
            aside.unlink()
        for tag in (STABLE, LATEST):
            project.point(tag, (at.saved / _STABLE_ID).read_text())
        project.up()
        project.wait_healthy()
        if engine.id_of(project.image(_BROKEN)) is not None:
            engine.run("image", "rm", "--force", project.image(_BROKEN))

    def _container(self, at: Place) -> Container:
        found = project_of(at.stack).container()
        if found is None:
            raise FaultError(f"{self.name}: there is no container")
        return found


class TagMoved(ContainerFault, frozen=True, kw_only=True):
    """Another image has the name that the compose file says, and the container was made anew from it."""

    def inject(self, at: Place) -> None:
        project = project_of(at.stack)
        project.point(LATEST, naming.read().voice_v2.latest)
        project.up()
        project.wait_healthy()

    def landed(self, at: Place) -> str:
        project, runs = project_of(at.stack), self._container(at).image
        if runs in (engine.id_of(project.image(STABLE)), None):
            raise FaultError(f"{self.name}: what runs is {project.image(STABLE)}")
        return f"{project.image(LATEST)} is {runs[7:19]} now, and that is what runs"


class NotRecreated(ContainerFault, frozen=True, kw_only=True):
    """The compose file pins the right image, and nobody has made the container anew since."""

    def inject(self, at: Place) -> None:
        project = project_of(at.stack)
        project.point(LATEST, naming.read().voice_v2.latest)
        project.up()
        project.wait_healthy()
        pinned = f"image: {engine.id_of(project.image(STABLE))}"
        project.file.write_text(
            re.sub(r"image: \S+", pinned, project.file.read_text("utf-8"), count=1), "utf-8"
        )

    def landed(self, at: Place) -> str:
        runs, text = self._container(at).image, project_of(at.stack).file.read_text("utf-8")
        if runs in text:
            raise FaultError(f"{self.name}: what runs is what the compose file pins")
        return f"{runs[7:19]} runs, which the compose file does not name"


class ImageGone(ContainerFault, frozen=True, kw_only=True):
    """The image that the compose file names is not on the engine any more, nor is the container that was made of it."""

    def inject(self, at: Place) -> None:
        project = project_of(at.stack)
        project.compose("rm", "--stop", "--force")
        engine.run("image", "rm", project.image(LATEST))

    def landed(self, at: Place) -> str:
        project = project_of(at.stack)
        if engine.id_of(project.image(LATEST)) is not None or project.container() is not None:
            raise FaultError(f"{self.name}: there is an image of that name, or a container")
        return f"the engine has no image {project.image(LATEST)}, and the service no container"


class BrokenRelease(ContainerFault, frozen=True, kw_only=True):
    """The newest release does something else than to serve: `command`, for a shell; `shows_as` is how one sees it."""

    command: str
    shows_as: str

    def inject(self, at: Place) -> None:
        project = project_of(at.stack)
        with tempfile.TemporaryDirectory(prefix="voice-v2-broken-") as folder:
            lines = (f"FROM {project.image(STABLE)}", "ENTRYPOINT []", f"CMD {_words(self.command)}")
            Path(folder, "Dockerfile").write_text("\n".join(lines) + "\n", "utf-8")
            labels = {inventory.RUN: project.run, inventory.STACK: str(at.stack.layout.root)}
            engine.build(Path(folder), project.image(_BROKEN), labels, {})
        project.point(LATEST, project.image(_BROKEN))
        project.up()

    def landed(self, at: Place) -> str:
        def look() -> Seen:
            seen = _seen(self._container(at), project_of(at.stack).log())
            return Seen(self.shows_as in seen, seen)

        waited = eventually(look, deadline_s=_LANDS_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the container is not {self.shows_as}, but {waited.seen}")
        return f"the engine says: {waited.seen}"


def _words(command: str) -> str:
    return json.dumps(["sh", "-c", command])


def _seen(container: Container, log: str) -> str:
    state = container.state
    told = [f"restarted {container.restart_count} times" if container.restart_count else state.status]
    # Not every engine says it; the kernel does.
    told += ["killed for memory"] if state.oom_killed or _KILLED.search(log) else []
    told += [container.health] if container.health != "none" else []
    return ", ".join(told)


FAULTS: tuple[Fault, ...] = (
    TagMoved(
        name="tag-moved",
        says="the tag of the compose file names another release now, and that runs",
        must=_ANOTHER,
        may=_WORSE,
    ),
    NotRecreated(
        name="not-recreated-after-the-pin",
        says="the compose file pins the right image, and the container is still of another",
        must=_ANOTHER,
        may=_WORSE,
    ),
    ImageGone(
        name="image-gone",
        says="the image that the compose file names is gone, and so is its container",
        must=_DOWN,
        scenario=1,
    ),
    BrokenRelease(
        name="crash-loop",
        says="the newest release ends as soon as it has started, again and again",
        must=_DOWN,
        scenario=1,
        command="echo 'voice-v2 cannot start: a module is missing' >&2; exit 3",
        shows_as="restarted",
    ),
    BrokenRelease(
        name="killed-for-memory",
        says="the newest release takes more memory than it may, and is killed for it",
        must=_DOWN,
        scenario=1,
        command="sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'; "
        "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | grep '^oom_kill '; "
        "exit 137",
        shows_as="killed for memory",
    ),
    BrokenRelease(
        name="container-unhealthy",
        says="the newest release runs and does not serve; its health check fails",
        must=_DOWN,
        scenario=1,
        command="trap 'exit 0' TERM; sleep 86400 & wait",
        shows_as="unhealthy",
    ),
)
