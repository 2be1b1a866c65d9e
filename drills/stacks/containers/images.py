"""The images of a containers stack, and whether it can be brought up here at all."""

from collections.abc import Collection

from drills.images import engine as images
from drills.images import naming
from drills.stacks.containers.inventory import RUN, engine
from drills.stacks.containers.layout import is_run
from drills.stacks.errors import StackError
from drills.stacks.service import NAME

PARTS = ("host", "minio", "postgres", "stand-ins")


def names() -> dict[str, str]:
    """Part to image. Raises StackError: no engine answers, or an image is not there."""
    known = {part: name for part, name in naming.read().all().items() if part in PARTS}
    with engine() as client:
        there = {tag for image in client.api.images() for tag in image["RepoTags"] or []}
        there |= {digest for image in client.api.images() for digest in image["RepoDigests"] or []}
    missing = [name for name in known.values() if name not in there]
    if missing:
        raise StackError(f"the engine has no image {', '.join(missing)}; make them: make images")
    return known


def forget(run: str) -> None:
    """Remove the names that a run has given to images, the images that have no other, and those that it has made."""
    names = images.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{run}/{NAME}").split()
    if names:
        images.run("image", "rm", "--force", *names)
    made = images.run("image", "ls", "--quiet", "--no-trunc", "--filter", f"label={RUN}={run}").split()
    if made:
        images.run("image", "rm", "--force", *set(made))


def forget_all_but(runs: Collection[str]) -> None:
    """`forget` every run of which nothing else is left on the engine; `runs` are the others."""
    repositories = set(images.run("image", "ls", "--format", "{{.Repository}}").split())
    known = {run for run, _, name in (each.partition("/") for each in repositories) if name == NAME}
    with engine() as client:
        known |= {image.labels[RUN] for image in client.images.list(filters={"label": RUN})}
    for run in known - set(runs):
        if is_run(run):
            forget(run)
