"""A recipe: the files that an image is built from, and one digest of all that goes into it."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

FOLDER = Path(__file__).with_name("recipes")
_CACHES = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")


def _nothing(_: Path) -> dict[str, str]:
    """Add nothing to the context."""
    return {}


class Recipe(msgspec.Struct, frozen=True):
    """How one part is built. `files` is its folder below `recipes/`, `parent` the part whose image it starts from.

    `inputs` are what else decides about the result, by name: versions, pins, digests. `provide` puts the large ones
    into the folder that is built, and returns the build's arguments; it is called only when something is built.
    """

    part: str
    files: str
    parent: str
    inputs: Mapping[str, str] = {}
    provide: Callable[[Path], dict[str, str]] = _nothing

    def digest(self, parent: str) -> str:
        """SHA-256 over all that goes into the image; `parent` is the digest of its parent's, or its ID."""
        return digest_of_words(
            self.part, parent, digest_of(FOLDER / self.files), *map(str, sorted(self.inputs.items()))
        )

    def lay_out(self, folder: Path) -> dict[str, str]:
        """Fill an empty folder with what the build needs; the build's arguments."""
        shutil.copytree(FOLDER / self.files, folder, dirs_exist_ok=True)
        return self.provide(folder)


def digest_of_words(*words: str) -> str:
    """SHA-256 over words, each told apart from the next."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def digest_of(*paths: Path) -> str:
    """SHA-256 over files and trees: names, who may execute them, contents. Raises OSError when one is not there."""
    told = hashlib.sha256()
    for root in paths:
        for path in [root] if not root.is_dir() else sorted(root.rglob("*")):
            if path.is_dir() or any(part in _CACHES for part in path.parts):
                continue
            name = path.name if path == root else str(path.relative_to(root))
            told.update(f"{name} {bool(path.stat().st_mode & 0o100)}".encode() + b"\0")
            told.update(hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()
