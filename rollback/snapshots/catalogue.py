"""The parts of a snapshot: their words on the command line, in the order in which they are taken."""

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help answers at once
    from rollback.site import Site
    from rollback.snapshots.part import Part

PARTS = {
    "environment": "EnvironmentPart",
    "code": "CodePart",
    "virtualenv": "VirtualenvPart",
    "objects": "ObjectsPart",
    "database": "DatabasePart",
}
# Stores that all hosts of a target use: taken once, with the first host.
SHARED = ("objects", "database")


def names() -> list[str]:
    """The parts that there are."""
    return [name for name in PARTS if importlib.util.find_spec(f"rollback.snapshots.{name}")]


def build(name: str, site: "Site") -> "Part":
    """A part for a host."""
    module = importlib.import_module(f"rollback.snapshots.{name}")
    part: Part = getattr(module, PARTS[name])(site)
    return part
