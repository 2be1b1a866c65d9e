"""A few lines of Python that the service runs as it starts, in its own process, before its own first line.

They lie in its virtualenv, where Python reads `.pth` files; other programs of that virtualenv pass over them.
"""

import shutil
from pathlib import Path

from drills.faults.fault import FaultError
from drills.stacks.stack import Stack

_MODULE, _PATH_FILE, _LIBRARY = "_voice_drill.py", "_voice_drill.pth", "_voice_drill.library"
_SERVES = "uvicorn"


def put(stack: Stack, code: str, library: Path | None = None) -> None:
    """Have these lines run from the next start on; they find a copy of `library` at the path that is in `LIBRARY`.

    Raises FaultError where there is no virtualenv to put them in.
    """
    folder = _site_packages(stack)
    if library is not None:
        shutil.copyfile(library, folder / _LIBRARY)
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    text = f"import sys\n\nLIBRARY = {str(folder / _LIBRARY)!r}\nif {_SERVES!r} in sys.orig_argv:\n{indented}"
    (folder / _MODULE).write_text(text, "utf-8")
    (folder / _PATH_FILE).write_text("import _voice_drill\n", "utf-8")


def remove(stack: Stack) -> None:
    """From the next start on the service is what it was."""
    folder = _site_packages(stack)
    for name in (_PATH_FILE, _MODULE, _LIBRARY):
        (folder / name).unlink(missing_ok=True)
    for compiled in (folder / "__pycache__").glob(f"{Path(_MODULE).stem}.*"):
        compiled.unlink()


def _site_packages(stack: Stack) -> Path:
    found = list(stack.layout.venv.glob("lib/python3*/site-packages"))
    if len(found) != 1:
        raise FaultError(f"{stack.layout.venv} is no virtualenv: it has {len(found)} folders for packages")
    return found[0]
