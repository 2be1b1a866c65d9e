"""The releases of the reference service as the folders that its images are built from."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from drills.images.recipe import digest_of
from drills.stacks import releases
from drills.stacks.commands import Commands
from drills.stacks.layout import Layout

LOCKED = releases.SOURCE / "requirements.txt"


def inputs(version: str) -> dict[str, str]:
    """What decides about the image of a release."""
    return {"version": version, "code": digest_of(releases.SOURCE), "releases": repr(releases.RELEASES)}


def provide(version: str, folder: Path) -> str:
    """Put the release's files into the folder; the SHA of its commit. Raises StackError."""
    commands, scratch = Commands(), Path(tempfile.mkdtemp(prefix="voice-v2-release-"))
    try:
        layout = Layout(scratch)
        releases.make_repository(commands, layout)
        revision = releases.revision(commands, layout, f"v{version}")
        archive = scratch / "release.tar"
        releases.archive(commands, layout, f"v{version}", archive)
        with tarfile.open(archive) as tar:
            tar.extractall(folder / "release", filter="data")
    finally:
        shutil.rmtree(scratch)
    return revision
