"""What the drill tests share: the service's own virtualenv, and the runbook's snippets run in it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "drills" / "voice_v2"
SNIPPETS = Path(__file__).parent / "runbook"

# The snippet of the provider configuration uses this name and does not import it.
_PROVIDER_NAMES = "from app.services.voice_v2.core.config import ProviderType\n"
_PLACEHOLDERS = {"PROBLEMATIC_PROVIDER": "GOOGLE"}


def run_snippet(python: Path, checkout: Path, snippet: str) -> subprocess.CompletedProcess[str]:
    """Run one of the runbook's snippets (a file name in tests/drills/runbook) in the service's own
    interpreter and folder, placeholders filled, and return how it ended."""
    code = (SNIPPETS / snippet).read_text(encoding="utf-8")
    for placeholder, filled in _PLACEHOLDERS.items():
        code = code.replace(placeholder, filled)
    if "import ProviderType" not in code and "ProviderType" in code:
        code = _PROVIDER_NAMES + code
    return subprocess.run(
        [str(python), "-"],
        input=code,
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session")
def snippet_runner() -> Callable[[Path, Path, str], subprocess.CompletedProcess[str]]:
    """`run_snippet`, for test modules."""
    return run_snippet


@pytest.fixture(scope="session")
def service_source() -> Path:
    """The reference service's folder in this repository."""
    return SERVICE


@pytest.fixture(scope="session")
def service_python() -> Path:
    """The interpreter of a virtualenv with the service's locked packages, built once per lock file."""
    locked = SERVICE / "requirements.txt"
    digest = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = ROOT / ".cache" / "voice_v2" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            uv = str(Path(sys.executable).parent / "uv")
            python = str(folder / "bin" / "python")
            install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
            _run([*install, "--require-hashes", "-r", str(locked)])
            (folder / "complete").touch()
    return folder / "bin" / "python"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stderr}"
