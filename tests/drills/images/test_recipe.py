"""The digest of a recipe changes with whatever goes into the image, and with nothing else."""

import pytest

from drills.images import catalogue, recipe
from drills.images.recipe import Recipe, digest_of


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "FOLDER", tmp_path)
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM x\n")
    return folder


def test_the_same_recipe_has_the_same_digest_again(files):
    assert Recipe("a", "part", "base").digest("p") == Recipe("a", "part", "base").digest("p")


@pytest.mark.parametrize(
    "change",
    [
        lambda files: (files / "Dockerfile").write_text("FROM y\n"),
        lambda files: (files / "Dockerfile").chmod(0o755),
        lambda files: (files / "more").write_text(""),
        lambda files: (files / "Dockerfile").rename(files / "Containerfile"),
    ],
)
def test_a_changed_file_changes_it(files, change):
    before = Recipe("a", "part", "base").digest("p")
    change(files)
    assert Recipe("a", "part", "base").digest("p") != before


def test_an_input_or_the_parent_changes_it(files):
    plain = Recipe("a", "part", "base", {"pin": "1"})
    assert plain.digest("p") != Recipe("a", "part", "base", {"pin": "2"}).digest("p")
    assert plain.digest("p") != plain.digest("q")
    assert plain.digest("p") != Recipe("b", "part", "base", {"pin": "1"}).digest("p")


def test_what_python_leaves_behind_does_not_change_it(files):
    before = digest_of(files)
    (files / "__pycache__").mkdir()
    (files / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert digest_of(files) == before


def test_every_part_has_a_recipe_and_comes_after_its_parent():
    seen = {"base"}
    for made in catalogue.recipes().values():
        assert made.parent in seen
        assert (recipe.FOLDER / made.files / "Dockerfile").exists()
        seen.add(made.part)
