"""Wheelhouses: the wheels of a locked list of requirements, for the Python of the images, fetched outside the build."""

import platform
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

from packaging.markers import Marker

from drills.images import command

PYTHON = "3.11.2"  # Debian bookworm's
_GLIBC = 36
_FETCH_S = 600.0
# Whatever a marker asks for besides is the same on every Linux.
_SURROUNDINGS: dict[str, str | AbstractSet[str]] = {
    "python_version": PYTHON.rpartition(".")[0],
    "python_full_version": PYTHON,
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


def fetch(locked: Path, folder: Path) -> None:
    """Put every wheel of the list into the folder, and the list itself as it is for the images' Python.

    Raises StackError with what pip said: a hash that does not fit, no wheel, no index that answers.
    """
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(for_images(locked.read_text("utf-8")), "utf-8")
    machine = platform.machine()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
    pip += ["--python-version", PYTHON, "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
    for minor in range(5, _GLIBC + 1):
        pip += ["--platform", f"manylinux_2_{minor}_{machine}"]
    pip += ["--platform", f"manylinux2014_{machine}", "--dest", str(wheels), "-r", str(wanted)]
    command.must(pip, timeout_s=_FETCH_S, missing="make the virtualenv: make venv")


def for_images(locked: str) -> str:
    """The requirements whose markers hold in the images, without the markers; hashes stay."""
    kept, keeps = [], True
    for line in locked.splitlines():
        shown = line
        if line[:1] not in ("", " ", "#"):
            name, _, marker = line.removesuffix("\\").partition(";")
            keeps = not marker or Marker(marker.strip()).evaluate(_SURROUNDINGS)
            shown = f"{name.strip()} \\" if marker else line
        if keeps:
            kept.append(shown)
    return "\n".join(kept) + "\n"
