"""Faults of the service's virtualenv: packages that are others than were installed, an interpreter that is lost."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks import service
from drills.stacks.stack import Stack
from target.wait import Seen, eventually

_STOPS_S = 20.0
_ASK_S = 20.0
_ACTION = "virtualenv"
_WRONG = "0.0.1"
_GONE = "/srv/voice-v2/venv-of-before"


def _version(_: Place, metadata: Path) -> str:
    lines = (metadata / "METADATA").read_text("utf-8").splitlines()
    return f"{metadata.name} is another: {next(line for line in lines if line.startswith('Version: '))}"


def _unusable_scripts(at: Place, folder: Path) -> str:
    ran = at.stack.host.run([str(folder / "uvicorn"), "--version"], timeout_s=_ASK_S)
    if ran.ok:
        raise FaultError(f"{folder}/uvicorn runs all the same")
    return f"{folder}/uvicorn cannot be run (exit {ran.status})"


class VirtualenvFault(Fault, frozen=True):
    """`harms` is the path in the virtualenv, a pattern, that is set aside; `edit` makes what lies there instead of it.

    `then` is how the service is afterwards: up as before, with the evidence that `shown` gives, or not up at all.
    """

    harms: str
    edit: Callable[[Path, Path], None] | None = None
    shown: Callable[[Place, Path], str] = _version
    then: Literal["up", "down"] = "up"

    def _harmed(self, at: Place) -> Path:
        found = sorted(at.stack.layout.venv.glob(self.harms)) or sorted(at.saved.glob("*/path"))
        if not found:
            raise FaultError(f"{self.name}: there is no {self.harms} in {at.stack.layout.venv}")
        return found[0] if found[0].name != "path" else Path(found[0].read_text())

    def prepare(self, at: Place) -> None:
        path = self._harmed(at)
        copy(path, at.saved / "was" / path.name)
        (at.saved / "was" / "path").write_text(str(path))

    def inject(self, at: Place) -> None:
        path = self._harmed(at)
        remove(path)
        if self.edit is not None:
            self.edit(at.saved / "was" / path.name, path)
        at.stack.supervisor.restart(service.NAME)

    def landed(self, at: Place) -> str:
        path = self._harmed(at)
        if _same(at.saved / "was" / path.name, path):
            raise FaultError(f"{self.name}: {path.name} is what it was")
        if self.then == "down":
            return goes_down(at.stack, self.name)
        at.stack.wait_service()
        return self.shown(at, path)

    def heal(self, at: Place) -> None:
        path = self._harmed(at)
        remove(path)
        copy(at.saved / "was" / path.name, path)
        at.stack.restart_service()
        clear_away(at.stack.layout.venv)


def clear_away(live: Path) -> None:
    """Remove what rollbacks have set aside beside a tree: a drill has seen it."""
    for pattern in (".failed.*", ".undone.*"):
        for path in live.parent.glob(live.name + pattern):
            remove(path)


def goes_down(stack: Stack, name: str) -> str:
    """Evidence that the service does not start. Raises FaultError when it does."""

    def look() -> Seen:
        state = stack.supervisor.state(service.NAME)
        return Seen(state.state in ("FATAL", "BACKOFF", "EXITED"), f"{state.state} {state.detail}")

    waited = eventually(look, deadline_s=_STOPS_S)
    if not waited.met:
        raise FaultError(f"{name}: the service runs all the same ({waited.seen})")
    return f"the service does not start: its supervisor says {waited.seen}"


def copy(source: Path, to: Path) -> None:
    """Copy a file, a link or a whole folder, modes and times with it; `to` must not be there."""
    to.parent.mkdir(exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, to, symlinks=True)
    else:
        shutil.copy2(source, to, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _same(one: Path, other: Path) -> bool:
    if not (other.is_symlink() or other.exists()):
        return False
    ran = subprocess.run(
        ["diff", "-r", "--no-dereference", "-q", str(one), str(other)],
        capture_output=True,
        timeout=_ASK_S,
        check=False,
    )
    return ran.returncode == 0


def _another_version(was: Path, path: Path) -> None:
    shutil.copytree(was, path, symlinks=True)
    metadata = path / "METADATA"
    lines = metadata.read_text("utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("Version: "))
    lines[at] = f"Version: {_WRONG}\n"
    metadata.write_text("".join(lines), "utf-8")


def _scripts_elsewhere(was: Path, folder: Path) -> None:
    shutil.copytree(was, folder, symlinks=True)
    home = str(folder.parent).encode()
    for script in folder.iterdir():
        if not script.is_symlink() and (content := script.read_bytes()).startswith(b"#!" + home):
            first, _, rest = content.partition(b"\n")
            script.write_bytes(first.replace(home, _GONE.encode()) + b"\n" + rest)


def _to_nowhere(_: Path, path: Path) -> None:
    path.symlink_to("/nowhere/python3")


FAULTS: tuple[Fault, ...] = (
    VirtualenvFault(
        name="package-version-wrong",
        says="another version of a package is installed than was recorded",
        part="virtualenv",
        must=("packages_match_record",),
        cure=_ACTION,
        harms="lib/python3*/site-packages/httpx-*.dist-info",
        edit=_another_version,
    ),
    VirtualenvFault(
        name="package-missing",
        says="a package that the service imports is not installed any more",
        part="virtualenv",
        must=("service_ready",),
        scenario=3,
        cure=_ACTION,
        harms="lib/python3*/site-packages/fastapi",
        then="down",
    ),
    VirtualenvFault(
        name="virtualenv-detached",
        says="the virtualenv has no pyvenv.cfg: its interpreter does not know that it is one",
        part="virtualenv",
        must=("service_ready", "packages_match_record", "virtualenv_whole"),
        scenario=3,
        cure=_ACTION,
        harms="pyvenv.cfg",
        then="down",
    ),
    VirtualenvFault(
        name="interpreter-gone",
        says="the interpreter that the virtualenv was made from is not there any more",
        part="virtualenv",
        must=("service_ready", "virtualenv_whole"),
        scenario=1,
        cure=_ACTION,
        harms="bin/python",
        edit=_to_nowhere,
        then="down",
    ),
    VirtualenvFault(
        name="scripts-elsewhere",
        says="the scripts of the virtualenv name the interpreter of another one, which is not there",
        part="virtualenv",
        must=("virtualenv_whole",),
        cure=_ACTION,
        harms="bin",
        edit=_scripts_elsewhere,
        shown=_unusable_scripts,
    ),
)
