"""What a containers stack has beyond any other: its run, a port for ssh, a second target file."""

import os
import re
import secrets
from pathlib import Path

from drills.stacks import layout
from drills.stacks.errors import StackError
from drills.stacks.layout import CONTAINERS, Layout

_RUN = re.compile(r"voice-v2-drill-[0-9a-f]{8}")
# The engine splits what it mounts at colons, systemd and ssh read their own signs into a path.
_PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")


class Ports(layout.Ports, frozen=True):
    """The ports that are published on 127.0.0.1."""

    ssh: int


class StackFile(layout.StackFile, frozen=True, kw_only=True):
    """What `stack.json` remembers. `run` is part of the name of everything that was made for it."""

    kind: str = CONTAINERS
    ports: Ports
    run: str


def new_run() -> str:
    """A name for everything that is made for one stack."""
    return f"voice-v2-drill-{secrets.token_hex(4)}"


def is_run(name: str) -> bool:
    """Whether it is such a name."""
    return _RUN.fullmatch(name) is not None


def container(run: str, part: str) -> str:
    """The name of the container of a part."""
    return f"{run}-{part}"


def read_stack_file(where: Layout) -> StackFile:
    """What the folder remembers. Raises StackError: not a stack, unreadable, of another format."""
    return layout.read_stack_file(where, StackFile)


def check_path(root: Path) -> None:
    """Raises StackError when the folder's path has a sign that one of the tools reads in its own way."""
    if not _PLAIN.fullmatch(str(root)):
        raise StackError(
            f"{root}: a containers stack takes only letters, digits and . _ + - in the path of its folder; "
            "name another with --dir"
        )
    if os.geteuid() != 0:
        raise StackError(
            "a containers stack shares its folder with a host on which root works, so it needs root here: sudo, or "
            "--stack processes"
        )


def ssh_target_file(where: Layout) -> Path:
    """The same target, reached by ssh."""
    return where.root / "target-ssh.yaml"


def ssh_config(where: Layout) -> Path:
    """How ssh reaches the voice host: the key and the host key of this run."""
    return where.run / "ssh_config"
