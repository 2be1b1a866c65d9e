"""The deployment of these tests, and how a run is killed wherever it may be."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollback.journal import AnyLine, Journal
from tests.rollback.git.repository import Code, releases
from tests.rollback.place import GOOD, Place
from tests.rollback.quick import QuickHost, QuickService
from tests.rollback.trees import Trees


@pytest.fixture(scope="session")
def _deployment() -> Iterator[Place]:
    # Not pytest's own folder: the path of a UNIX socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="rb-"))
    place = Place(folder)
    place.env.write_text(GOOD)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        place.wait_for((folder / "s.sock").exists)
        yield place
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the operator's copies of the journals go."""
    folder = tmp_path / "runs"
    monkeypatch.setattr("rollback.archive.RUNS", folder)
    return folder


@pytest.fixture
def place(_deployment: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A broken environment in place (`BAD`), a good one beside it (`GOOD`), the service running with the broken one."""
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    _deployment.reset()
    return _deployment


@pytest.fixture
def quick(_deployment: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """As `place`, for many runs in little time: see `QuickHost` and `QuickService`."""
    _deployment.ctl("stop", "voice")
    service = QuickService(_deployment)
    monkeypatch.setattr("rollback.site.Host", QuickHost)
    monkeypatch.setattr("rollback.site.service_of", lambda *_: service)
    monkeypatch.setattr(_deployment, "restart_service", service.restart)
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    _deployment.reset()
    yield _deployment
    service.stop()


@pytest.fixture
def kill_after_line() -> Callable[[int], Callable[[], None]]:
    """Makes what a child process calls to be killed right after its n-th journal line (0: instead of the first)."""

    def after(line_number: int) -> Callable[[], None]:
        def patch() -> None:
            append = Journal.append
            count = 0

            def append_then_die(self: Journal, line: AnyLine) -> None:
                nonlocal count
                if line_number > 0:
                    append(self, line)
                count += 1
                if count >= line_number:
                    os.kill(os.getpid(), 9)

            Journal.append = append_then_die  # type: ignore[method-assign]

        return patch

    return after


@pytest.fixture
def survives_kills(kill_after_line: Callable[[int], Callable[[], None]]) -> Callable[..., None]:
    """An action killed by SIGKILL after every line of its journal, in every way; old or new, never a mixture.

    `place` has `run`, `run_and_kill`, `inventory` and `journals`; `reset` brings back the state in which the action
    has something to do; `is_new` and `is_old` assert what is there once it was done, and once it was undone.
    """

    def try_all(
        place: Place,
        words: list[str],
        *,
        reset: Callable[[], None],
        is_new: Callable[[], None],
        is_old: Callable[[], None],
    ) -> None:
        def kill(line: int, *more: str) -> None:
            status = place.run_and_kill(kill_after_line(line), *words, *more)
            assert os.WIFSIGNALED(status), f"{words} {more} was not killed at line {line}: {status}"

        def ends(code: int, *more: str) -> None:
            found, out = place.run(*words, *more)
            assert found == code, out

        def writes_nothing(*more: str) -> None:
            before = place.inventory()
            ends(0, *more)
            assert place.inventory() == before

        reset()
        ends(0)
        is_new()
        writes_nothing()
        lines = len(place.journals()[-1])
        ends(0, "--undo")
        is_old()
        undo_lines = len(place.journals()[-1])
        for line in range(lines + 1):
            reset()
            kill(line)
            ends(0)
            is_new()
            writes_nothing()
        for line in range(1, lines):
            reset()
            kill(line)
            kill(2)
            ends(0, "--undo")
            is_old()
        for line in range(1, undo_lines):
            reset()
            ends(0)
            kill(line, "--undo")
            ends(0, "--resume")
            is_old()

    return try_all


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], Path]]:
    """Mounts a file system in memory of a size (`1m`) on a new folder; root only."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True, timeout=10
        )
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)


@pytest.fixture(scope="session")
def _trees(_deployment: Place, tmp_path_factory: pytest.TempPathFactory) -> Trees:
    trees = Trees(_deployment, tmp_path_factory.mktemp("templates"))
    trees.make()
    return trees


@pytest.fixture
def trees(quick: Place, _trees: Trees, monkeypatch: pytest.MonkeyPatch) -> Trees:
    """As `quick`, with code and a virtualenv that the service runs from: the good release, which is on record."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(quick, "python", str(_trees.venv / "bin" / "python"))
    _trees.reset()
    return _trees


@pytest.fixture(scope="session")
def _releases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases")
    releases(folder)
    return folder


@pytest.fixture
def fresh(quick, _releases, monkeypatch):
    """As `code`, to be reset by the test itself."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    found = Code(quick, _releases)
    yield found
    found.remove()


@pytest.fixture
def code(fresh):
    """The bad release in the checkout, running; the good one on record. See `Code`."""
    fresh.reset()
    return fresh
