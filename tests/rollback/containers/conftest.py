"""A compose project on a real engine, with either of the two compose programs."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rollback.containers.compose_place import ComposePlace
from tests.rollback.containers.engine import Engine, Registry, docker, remove_of_the_dead

_WITHOUT_V2 = '#!/bin/sh\n[ "$1" = compose ] && exit 1\nexec {docker} "$@"\n'


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Asked for by name, so that its absence is a failure."""
    docker("version")
    remove_of_the_dead()
    engine = Engine()
    try:
        yield engine
    finally:
        engine.clear()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.stop()


@pytest.fixture(scope="session", params=["docker compose", "docker-compose"])
def program(request: pytest.FixtureRequest) -> str:
    """Both, for every test; `only` one of them by parametrizing it indirectly."""
    return str(request.param)


@pytest.fixture
def place(program: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[ComposePlace]:
    """A project whose service runs the bad image, with a record of the good one."""
    folder = Path(tempfile.mkdtemp(prefix=f"{engine.run}-"))
    if program == "docker-compose":
        hidden = folder / "bin"
        hidden.mkdir()
        (hidden / "docker").write_text(_WITHOUT_V2.format(docker=shutil.which("docker")))
        (hidden / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", str(hidden), prepend=":")
    for name in ("VOICE_TARGET", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    place = ComposePlace(folder, engine, program)
    try:
        yield place
    finally:
        place.down()
        shutil.rmtree(folder)
