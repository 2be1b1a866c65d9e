"""Ending a containers stack: its logs are kept, everything labelled with its folder goes, and that is proven."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import docker
import docker.errors

from drills.stacks.containers import images, inventory
from drills.stacks.containers.inventory import Thing
from drills.stacks.containers.supervision import UNIT, VOICE_HOST
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout
from drills.stacks.service import NAME

_LINES = 20_000


def take_down(layout: Layout) -> Sequence[Thing]:
    """Remove every container, network and volume of this folder; what was removed.

    Raises StackError when something of it is left.
    """
    with inventory.engine() as client:
        found = inventory.things(client, layout.root)
        if layout.logs.is_dir():
            for thing in found:
                if thing.kind == "container":
                    _keep_log(client, thing, layout.logs)
        inventory.remove(client, found)
        left = inventory.things(client, layout.root)
    for run in {thing.run for thing in found}:
        images.forget(run)
    if left:
        raise StackError(f"{layout.root}: these cannot be removed: {', '.join(map(str, left))}")
    layout.settled.unlink(missing_ok=True)
    # Thousands of files that nobody looks at afterwards, and that the next `up` makes anew.
    for venv in layout.root.glob(f"{layout.venv.name}*"):
        shutil.rmtree(venv)
    return found


def _keep_log(client: docker.DockerClient, thing: Thing, folder: Path) -> None:
    name = thing.name.removeprefix(f"{thing.run}-")
    try:
        if name == VOICE_HOST:
            name = NAME
            command = ["journalctl", "-u", UNIT, "-n", str(_LINES), "-o", "cat", "--no-pager"]
            said = client.containers.get(thing.name).exec_run(command).output
        else:
            said = client.api.logs(thing.name, tail=_LINES)
    except docker.errors.APIError as error:
        said = f"not to be had: {inventory.reason(error)}\n".encode()
    (folder / f"{name}.log").write_bytes(said)
