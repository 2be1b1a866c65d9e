"""Faults of the code: a release that should not have been deployed, a file that somebody changed on the host."""

from pathlib import Path

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.processes import releases
from drills.stacks.processes.commands import Commands

_BAD = "2.4.0"
_FILE = Path("app/services/voice_v2/providers/chain.py")
_LINE = b"\n# changed on the host, in no release\n"


class BadRelease(Fault, frozen=True):
    """The checkout was brought to a release that serves worse, and the service restarted with it."""

    def prepare(self, at: Place) -> None:
        (at.saved / "revision").write_text(releases.revision(Commands(), at.stack.layout))

    def inject(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, f"v{_BAD}")
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        served = (at.stack.health() or {}).get("version")
        if served != _BAD:
            raise FaultError(f"{self.name}: the service says that it is {served}")
        return f"the service says that it is {_BAD}"

    def heal(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, (at.saved / "revision").read_text())
        at.stack.restart_service()


class FileChanged(Fault, frozen=True):
    """A file of the package was edited on the host, and the service restarted with it."""

    def prepare(self, at: Place) -> None:
        (at.saved / _FILE.name).write_bytes((at.stack.layout.service / _FILE).read_bytes())

    def inject(self, at: Place) -> None:
        path = at.stack.layout.service / _FILE
        path.write_bytes(path.read_bytes() + _LINE)
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        if (at.stack.layout.service / _FILE).read_bytes() == (at.saved / _FILE.name).read_bytes():
            raise FaultError(f"{self.name}: {_FILE} is what it was")
        return f"{_FILE} is of no release"

    def heal(self, at: Place) -> None:
        (at.stack.layout.service / _FILE).write_bytes((at.saved / _FILE.name).read_bytes())
        at.stack.restart_service()


FAULTS: tuple[Fault, ...] = (
    BadRelease(
        name="bad-release-deployed",
        says="release 2.4.0 was deployed, which cuts longer sentences off",
        part="code",
        shows=("version_matches_record",),
        cure="git",
    ),
    FileChanged(
        name="file-changed-on-host",
        says="a file of the package was changed on the host, and is of no release",
        part="code",
        shows=("code_matches_record",),
        cure="git",
    ),
)
