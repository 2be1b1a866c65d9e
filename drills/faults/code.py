"""Faults of the code: a release that should not have been deployed, files that are lost or were changed on the host."""

import os
import py_compile
import shutil
from pathlib import Path
from typing import Literal

from drills.faults.fault import Fault, FaultError, Place
from drills.faults.virtualenv import clear_away, goes_down
from drills.stacks import releases, service
from drills.stacks.commands import Commands

_BAD = "2.4.0"
_PACKAGE = Path("app/services/voice_v2")
_WRONG = "9.9.9"
_FILE = Path("app/services/voice_v2/providers/chain.py")
# What tells a release that cuts sentences off; it speaks too few of them so for all of these to be certain.
_CUT_OFF = ("tts_success_rate", "tts_audio_valid", "tts_word_error_rate")
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


class DamagedFile(Fault, frozen=True):
    """A file of the package is lost, or says something else and was compiled so; the service is restarted with that.

    `edit` replaces a text by another of the same length, and the file keeps its time: whoever puts the right content
    back in place, with its time, is served what Python has compiled of the wrong one.
    """

    file: Path
    edit: tuple[str, str] | None = None
    then: Literal["up", "down"] = "up"

    def _path(self, at: Place) -> Path:
        return at.stack.layout.service / _PACKAGE / self.file

    def prepare(self, at: Place) -> None:
        shutil.copy2(self._path(at), at.saved / self.file.name)

    def inject(self, at: Place) -> None:
        path = self._path(at)
        if self.edit is None:
            path.unlink()
        else:
            old, new = self.edit
            text = path.read_text("utf-8")
            if len(old) != len(new) or text.count(old) != 1:
                raise FaultError(f"{self.name}: {old!r} is not once in {path}, or {new!r} is not as long")
            path.write_text(text.replace(old, new), "utf-8")
            was = (at.saved / self.file.name).stat()
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
            py_compile.compile(str(path), doraise=True)
        at.stack.supervisor.restart(service.NAME)

    def landed(self, at: Place) -> str:
        path = self._path(at)
        if path.exists() and path.read_bytes() == (at.saved / self.file.name).read_bytes():
            raise FaultError(f"{self.name}: {path} is what it was")
        if self.then == "down":
            return goes_down(at.stack, self.name)
        at.stack.wait_service()
        said = (at.stack.health() or {}).get("version")
        if said != _WRONG:
            raise FaultError(f"{self.name}: the service says that it is {said}")
        return f"the service says that it is {said}"

    def heal(self, at: Place) -> None:
        path = self._path(at)
        shutil.copy2(at.saved / self.file.name, path)
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
        at.stack.restart_service()
        for live in (at.stack.layout.service / _PACKAGE, at.stack.layout.service / "requirements.txt"):
            clear_away(live)


FAULTS: tuple[Fault, ...] = (
    BadRelease(
        name="bad-release-deployed",
        says="release 2.4.0 was deployed, which cuts longer sentences off",
        part="code",
        must=("version_matches_record", "revision_matches_record", "code_matches_record"),
        may=_CUT_OFF,
        shows=("version_matches_record",),
        cure="git",
    ),
    FileChanged(
        name="file-changed-on-host",
        says="a file of the package was changed on the host, and is of no release",
        part="code",
        must=("code_matches_record",),
        cure="git",
    ),
    DamagedFile(
        name="package-file-changed",
        says="a file of the package was changed by hand, and Python has compiled it so",
        part="code",
        must=("version_matches_record", "code_matches_record"),
        cure="files",
        file=Path("__init__.py"),
        edit=('"2.3.1"', f'"{_WRONG}"'),
    ),
    DamagedFile(
        name="package-file-missing",
        says="a file of the package is lost, and the service does not start",
        part="code",
        must=("service_ready", "code_matches_record"),
        scenario=1,
        cure="files",
        file=Path("orchestrator.py"),
        then="down",
    ),
)
