"""Which compose files make up a project: those that a person gets who types no `-f` in its folder."""

from pathlib import Path

import pytest

from target.compose_files import files_of
from target.description import Compose
from target.host import Host


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR"):
        monkeypatch.delenv(name, raising=False)


def names(folder: Path, file: str = "docker-compose.yml", *overrides: str) -> list[str]:
    settings = Compose(file=str(folder / file), service="voice-v2", overrides=overrides)
    return [path.removeprefix(f"{folder}/") for path in files_of(Host("local://"), settings, "compose")]


def test_alone_and_with_the_override_beside_it(tmp_path: Path) -> None:
    assert names(tmp_path) == ["docker-compose.yml"]
    (tmp_path / "docker-compose.override.yml").touch()
    assert names(tmp_path) == ["docker-compose.yml", "docker-compose.override.yml"]
    (tmp_path / "compose.override.yaml").touch()
    assert names(tmp_path) == ["docker-compose.yml", "compose.override.yaml"]
    assert names(tmp_path, "prod.yml") == ["prod.yml"]


def test_those_that_the_target_names_are_all(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.override.yml").touch()
    (tmp_path / ".env").write_text("COMPOSE_FILE=docker-compose.yml:other.yml\n")
    assert names(tmp_path, "docker-compose.yml", "/srv/prod.yml") == ["docker-compose.yml", "/srv/prod.yml"]


def test_compose_file_of_env_drops_the_override_and_the_shell_beats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker-compose.override.yml").touch()
    (tmp_path / ".env").write_text("# COMPOSE_FILE=none\nCOMPOSE_FILE='docker-compose.yml:/srv/prod.yml'\n")
    assert names(tmp_path) == ["docker-compose.yml", "/srv/prod.yml"]
    monkeypatch.setenv("COMPOSE_FILE", "a.yml,docker-compose.yml")
    monkeypatch.setenv("COMPOSE_PATH_SEPARATOR", ",")
    assert names(tmp_path) == ["a.yml", "docker-compose.yml"]


def test_compose_file_that_means_another_project_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COMPOSE_FILE=other.yml\n")
    assert names(tmp_path) == ["docker-compose.yml"]
