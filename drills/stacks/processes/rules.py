"""The rules of a SeaweedFS: its files, which it reads again when it is told to."""

import json

from drills.stacks.layout import Layout, Secrets, write_private
from drills.stacks.processes.supervision import Supervisor
from drills.stacks.rules import Rules

_READS = ("Read", "List")
_WRITES = ("Admin", "Write", "Tagging")


class SeaweedRules(Rules):
    """SeaweedFS under supervisord."""

    def __init__(self, layout: Layout, secrets: Secrets, supervisor: Supervisor) -> None:
        self._layout = layout
        self._secrets = secrets
        self._supervisor = supervisor

    def admit(self, *, secret_key: str | None = None, writes: bool = True) -> None:
        write_identity(self._layout, self._secrets, secret_key=secret_key, writes=writes)
        self._supervisor.signal("storage", "HUP")

    def fill(self, *, full: bool) -> None:
        write_options(self._layout, full=full)
        self._supervisor.restart("storage")


def write_identity(
    layout: Layout, secrets: Secrets, *, secret_key: str | None = None, writes: bool = True
) -> None:
    """Write who is admitted, to do what."""
    credentials = {"accessKey": secrets.s3_access_key, "secretKey": secret_key or secrets.s3_secret_key}
    identity = {
        "name": "voice",
        "credentials": [credentials],
        "actions": [*_READS, *(_WRITES if writes else ())],
    }
    write_private(layout.run / "s3.json", json.dumps({"identities": [identity]}))


def write_options(layout: Layout, *, full: bool = False) -> None:
    """Write the options that change: a disk with less room than the least is taken as full."""
    write_private(layout.run / "weed.options", "volume.minFreeSpace=100\n" if full else "")
