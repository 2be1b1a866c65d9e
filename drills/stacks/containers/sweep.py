"""Removing what killed bring-ups left on the engine, and nothing of a stack that is alive or was meant to stay."""

from collections.abc import Sequence

import msgspec

from drills.stacks.containers import images, inventory
from drills.stacks.containers.inventory import Thing
from drills.stacks.layout import Layout


class _Written(msgspec.Struct, frozen=True):
    run: str


def sweep() -> Sequence[Thing]:
    """Remove what belongs to a run whose owner is gone and that was not left running on purpose; what was removed."""
    if not inventory.answers():
        return []  # what was there went with it
    with inventory.engine() as client:
        stale = [
            thing
            for thing in inventory.things(client)
            if not inventory.alive(thing.owner) and not _stays(thing)
        ]
        inventory.remove(client, stale)
        images.forget_all_but({thing.run for thing in inventory.things(client)})
    return stale


def _stays(thing: Thing) -> bool:
    """Whether it is of the stack that its folder remembers, and was settled there."""
    layout = Layout(thing.folder)
    try:
        return layout.settled.exists() and _run_of(layout) == thing.run
    except (OSError, msgspec.DecodeError):
        return False


def _run_of(layout: Layout) -> str:
    """The run that the folder remembers, whichever version of this has written it."""
    return msgspec.json.decode(layout.stack_file.read_bytes(), type=_Written).run
