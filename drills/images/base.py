"""The base image: the smallest Debian that apt works in, by debootstrap, for machines that no registry serves."""

import os
import shutil
import tempfile
from pathlib import Path

from drills.images import command, engine

SUITE = "bookworm"
_VARIANT = "minbase"
_MAKE_S = 900.0
_MISSING = "apt-get install debootstrap"
# Written by the hour or by the machine, and of no use in an image.
_LEFT_OUT = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./var/log/*", "./etc/machine-id")


def inputs() -> dict[str, str]:
    """What decides about the result."""
    return {"suite": SUITE, "variant": _VARIANT, "left out": " ".join(_LEFT_OUT)}


def make(image: str, labels: dict[str, str]) -> None:
    """Make the image. Raises StackError: no debootstrap, no root, no mirror that answers."""
    folder = Path(tempfile.mkdtemp(prefix="voice-v2-base-"))
    try:
        root, archive = folder / "root", folder / "root.tar"
        debootstrap = shutil.which("debootstrap", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        made = [debootstrap or "debootstrap", f"--variant={_VARIANT}", SUITE, str(root)]
        command.must(_as_root(made), timeout_s=_MAKE_S, missing=_MISSING)
        # In order and with one time, so that the same packages make the same image.
        tar = ["tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--xattrs"]
        tar += [f"--exclude={pattern}" for pattern in _LEFT_OUT]
        command.must(
            _as_root([*tar, "-C", str(root), "-cf", str(archive), "."]), timeout_s=_MAKE_S, missing=_MISSING
        )
        with archive.open("rb") as tree:
            engine.load_tree(tree, image, labels)
    finally:
        command.must(
            _as_root(["rm", "-rf", "--one-file-system", str(folder)]), timeout_s=60, missing=_MISSING
        )


def _as_root(words: list[str]) -> list[str]:
    return words if os.geteuid() == 0 else ["sudo", *words]
