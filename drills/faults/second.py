"""A second process of the service, of another release, beside the first on its host; it goes without a trace."""

import shutil
import tarfile

from drills.faults.fault import FaultError, Place
from drills.stacks import releases
from drills.stacks.commands import Commands
from drills.stacks.layout import MARK

# In the folder $1; it ends by itself after an hour, when nobody else has ended it.
_START = """
cd -- "$1" || exit 1
shift
setsid --fork env "$@" < /dev/null > log 2>&1
"""
_END = """
for each in /proc/[0-9]*; do
    [ "$(readlink -- "$each/cwd" 2>/dev/null)" = "$1" ] && kill -KILL "${each#/proc/}"
done
true
"""
_FOLDER = "second"
_TAKE_S = 30.0


def start(at: Place, version: str) -> int:
    """Start release `version` with the service's environment and packages; the port that the front reaches it at."""
    layout, folder = at.stack.layout, at.saved / _FOLDER
    packed = at.saved / "release.tar"
    releases.archive(Commands(), layout, f"v{version}", packed)
    with tarfile.open(packed) as files:
        files.extractall(folder, filter="data")
    shutil.copy2(layout.environment, folder)
    address, port = at.stack.second_address()
    variables = {
        MARK: str(layout.root),
        "VOICE_REVISION": releases.revision(Commands(), layout, f"v{version}"),
    }
    words = [f"{name}={value}" for name, value in variables.items()]
    words += ["timeout", "3600", str(layout.venv / "bin" / "python"), "-m", "uvicorn", "app.main:app"]
    words += ["--host", address, "--port", str(port), "--no-access-log"]
    ran = at.stack.host.shell(_START, str(folder), *words, timeout_s=_TAKE_S)
    if not ran.ok:
        raise FaultError(f"no second process could be started: {ran.stderr.strip()}")
    return port


def end(at: Place) -> None:
    """End it, and remove what it ran from."""
    at.stack.host.shell(_END, str(at.saved / _FOLDER), timeout_s=_TAKE_S)
    shutil.rmtree(at.saved / _FOLDER, ignore_errors=True)
