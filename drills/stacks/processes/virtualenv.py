"""The service's own virtualenv, made on this machine."""

import os
import sys
from pathlib import Path

from drills.stacks.commands import Commands
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout

_MAKE_S = 30.0
_INSTALL_S = 300.0


def make_virtualenv(commands: Commands, layout: Layout, requirements: Path) -> None:
    """Make the service's own virtualenv: copies of what is locked, so that breaking one breaks no other.

    uv installs from its cache where it can, and downloads what is missing there.
    """
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise StackError(f"uv is missing beside {sys.executable}; install requirements-dev.txt")
    environment = {**os.environ, "UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1"}
    environment.pop("VIRTUAL_ENV", None)
    make = [str(uv), "venv", "--quiet", "--python", sys.executable, str(layout.venv)]
    commands.must("virtualenv", make, cwd=layout.root, environment=environment, timeout_s=_MAKE_S)
    install = [str(uv), "pip", "install", "--quiet", "--python", str(layout.venv / "bin" / "python")]
    install += ["--require-hashes", "--link-mode", "copy", "-r", str(requirements)]
    commands.must("virtualenv", install, cwd=layout.root, environment=environment, timeout_s=_INSTALL_S)
