"""The images of a containers stack, and whether it can be brought up here at all."""

from drills.images import naming
from drills.stacks.containers.inventory import engine
from drills.stacks.errors import StackError

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
