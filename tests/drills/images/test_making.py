"""Making images on a real engine: once, then not again; public ones by digest; nobody else's name is ever given."""

import subprocess
import sys
import uuid

import msgspec
import pytest

from drills.images import base, catalogue, engine, making, naming, recipe
from drills.images.recipe import Recipe
from drills.stacks.errors import StackError
from tests.rollback.containers.engine import Engine, Registry, docker

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def tiny():
    """Images of a few bytes, labelled by this run."""
    made = Engine()
    yield made
    made.clear()


@pytest.fixture
def images(tiny, tmp_path, monkeypatch):
    """Two parts alone, the minio of which is built on a tiny base, under names of this test."""
    folder = tmp_path / "recipes" / "minio"
    folder.mkdir(parents=True)
    label = f"LABEL voice-v2-rollback-tests={tiny.run}"
    (folder / "Dockerfile").write_text(f"ARG FROM\nFROM ${{FROM}}\n{label}\nCOPY added /added\n")

    def provide(to):
        (to / "added").write_text("x")
        return {}

    def base_of(name, labels):
        docker("tag", tiny.name("good"), name)

    monkeypatch.setattr(recipe, "FOLDER", tmp_path / "recipes")
    monkeypatch.setattr(making, "recipes", lambda: {"minio": Recipe("minio", "minio", "base", {}, provide)})
    monkeypatch.setattr(base, "make", base_of)
    names = {
        "base": f"{naming.OURS}{tiny.run}:base",
        "minio": f"{naming.OURS}{tiny.run}:{uuid.uuid4().hex[:8]}",
    }
    whole = msgspec.structs.replace(naming.read(), **names)
    monkeypatch.setattr(naming.Images, "all", lambda self: {"base": self.base, "minio": self.minio})
    yield whole
    for name in names.values():
        docker("rmi", "--force", name, check=False)


def made(images):
    said = []
    making.make(images, said.append)
    return [line.split()[3] if " s  " in line else line for line in said], "\n".join(said)


def test_a_part_is_built_once_and_again_when_its_recipe_has_changed(images):
    assert made(images)[0][1] == "built"
    first = engine.id_of(images.minio)
    assert made(images)[0][1] == "there"
    assert engine.id_of(images.minio) == first
    (recipe.FOLDER / "minio" / "Dockerfile").write_text("ARG FROM\nFROM ${FROM}\nCOPY added /elsewhere\n")
    assert made(images)[0][1] == "built"
    assert engine.id_of(images.minio) != first


def test_a_public_image_is_pulled_by_its_digest_and_gets_our_name(images, tiny, tmp_path):
    registry = Registry(tmp_path)
    try:
        public = f"{registry.address}/voice-v2@{registry.push(tiny, 'good', '1')}"
        wanted = msgspec.structs.replace(images, public=naming.Public(minio=public))
        assert made(wanted)[0][1] in ("pulled", "there")
        assert engine.id_of(images.minio) == engine.id_of(public) == tiny.ids["good"]
        assert made(wanted)[0][1] == "there"
    finally:
        registry.stop()


def test_where_no_registry_answers_it_is_built_instead_and_said_so(images):
    nowhere = f"127.0.0.1:9/minio@sha256:{'0' * 64}"
    said, text = made(msgspec.structs.replace(images, public=naming.Public(minio=nowhere)))
    assert said[-1] == "built"
    assert "it is built instead" in text


def test_a_teams_own_image_is_used_as_it_is_and_is_an_error_where_it_is_not(images, tiny):
    own = msgspec.structs.replace(images, minio=tiny.name("good"))
    assert made(own)[0][1] == "there"
    missing = msgspec.structs.replace(images, minio="127.0.0.1:9/team/minio:1")
    with pytest.raises(StackError, match=r"minio: 127\.0\.0\.1:9/team/minio:1 is not on the engine"):
        made(missing)


def test_all_the_images_are_there_and_made_by_todays_recipes():
    done = subprocess.run(
        [sys.executable, "-m", "drills", "images"], capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(catalogue.recipes()) | {"base"} == set(naming.read().all())
    assert all(engine.recipe_of(name) for name in naming.read().all().values())


def test_without_an_engine_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"docker is missing; bring an engine: \.ci/engine"):
        making.make(naming.read(), print)
