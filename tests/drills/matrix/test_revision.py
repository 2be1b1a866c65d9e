"""The commit that a result is said to be taken at."""

import subprocess

import pytest

from drills.matrix import revision


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, in which a result is kept."""
    (tmp_path / "drills" / "matrix").mkdir(parents=True)
    (tmp_path / "drills" / "code.py").write_text("1\n")
    (tmp_path / "drills" / "matrix" / "kept.json").write_text("{}\n")
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "c"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, timeout=20)
    monkeypatch.setattr(revision, "REPOSITORY", tmp_path)
    return tmp_path


def test_changed_code_is_told_and_a_changed_result_is_not(repository):
    head = revision.commit()
    assert len(head) == 40
    (repository / "drills" / "matrix" / "kept.json").write_text("[]\n")
    assert revision.commit() == head
    (repository / "drills" / "code.py").write_text("2\n")
    assert revision.commit() == f"{head}-changed"


def test_outside_of_git_it_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setattr(revision, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision.commit() == "unknown"
