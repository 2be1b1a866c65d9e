"""What faults of releases and their records have in common: nothing of either is left when they are healed."""

import os
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from drills.faults.fault import Fault, FaultError, Place
from drills.faults.virtualenv import copy, remove
from drills.stacks import releases
from drills.stacks.commands import Commands
from drills.stacks.layout import Layout, write_private
from target import capture
from target.description import Target
from target.host import Host
from target.load import load
from target.record import Record, Records

_NOTHING = Record(name="", version=None, revision=None, taken_at="", taken_by="drill", state="healthy")


class Recorded(Fault, frozen=True):
    """A fault that goes through releases and their records; both, and the environment, are put back afterwards."""

    def prepare(self, at: Place) -> None:
        layout = at.stack.layout
        (at.saved / "revision").write_text(releases.revision(Commands(), layout))
        for path in (layout.environment, layout.environment_previous):
            (at.saved / path.name).write_bytes(path.read_bytes())
        set_aside(at)

    def heal(self, at: Place) -> None:
        layout = at.stack.layout
        for path in (layout.environment, layout.environment_previous):
            write_private(path, (at.saved / path.name).read_bytes())
        put_back(at)
        releases.check_out(Commands(), layout, (at.saved / "revision").read_text())
        at.stack.restart_service()

    @staticmethod
    def deploy(at: Place, version: str) -> None:
        """Bring the checkout to a release, and the service up with it."""
        releases.check_out(Commands(), at.stack.layout, f"v{version}")
        at.stack.restart_service()

    @staticmethod
    def record(at: Place, version: str) -> None:
        """As `python -m rollback record` does, but for its requests, of which rows and recordings would stay."""
        target, host, records = _opened(at)
        revision = releases.revision(Commands(), at.stack.layout)
        facts = {
            "name": f"{version}-{revision[:7]}",
            "version": version,
            "revision": revision,
            "taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "taken_by": "drill",
            "state": "healthy",
            "why_bad": None,
            "code": capture.code(target, host),
            "environment": capture.environment(target, host, records),
        }
        record = msgspec.structs.replace(next(iter(records.all()), _NOTHING), **facts)
        records.save(record)
        records.expect(record.name)


def set_aside(at: Place) -> None:
    """Keep the records, and which of them is expected."""
    for path in _records(at.stack.layout):
        if path.exists():
            copy(path, at.saved / "state" / path.name)


def put_back(at: Place) -> None:
    """The records as they were set aside, and no other."""
    for path in _records(at.stack.layout):
        remove(path)
        if (saved := at.saved / "state" / path.name).exists():
            copy(saved, path)


def latency(at: Place) -> float:
    """How long a synthesis took by the record that is expected: the median, in seconds. Raises FaultError."""
    expected = _opened(at)[2].expected()
    if expected is None or not expected.latency.tts:
        raise FaultError("no record tells how long a synthesis takes")
    return median(expected.latency.tts)


def _opened(at: Place) -> tuple[Target, Host, Records]:
    target = load(at.stack.layout.target_file, environ=os.environ)
    return target, at.stack.host, Records(at.stack.host, target.state_dir)


def _records(layout: Layout) -> tuple[Path, Path]:
    return layout.state / "records", layout.state / "expected"
