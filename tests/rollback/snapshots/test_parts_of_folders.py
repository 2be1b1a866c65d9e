"""The parts `environment` and `virtualenv` of a snapshot: verified, then put in place; those of before are kept."""

import os
import shutil
from pathlib import Path

import pytest

from target.host import Host
from tests.rollback.trees import ENV, install, says, site_packages

pytestmark = pytest.mark.drill


@pytest.fixture
def running(trees):
    """The good release runs, and is on record; there is no backup yet."""
    shutil.rmtree(trees.backup)
    shutil.rmtree(trees.backups, ignore_errors=True)
    trees.place.restart()
    return trees


def names(place, start):
    return sorted(path.name for path in place.folder.iterdir() if path.name.startswith(start))


def test_the_environment_that_runs_becomes_the_previous_one(running):
    place = running.place
    before = place.previous.read_text()
    assert before != ENV
    code, out = place.run("snapshot", "environment")
    assert code == 0, out
    assert place.previous.read_text() == ENV
    assert place.previous.stat().st_mode & 0o777 == place.env.stat().st_mode & 0o777
    kept = names(place, ".env.previous.")
    assert [(place.folder / name).read_text() for name in kept] == [before]
    assert "swordfish" not in out
    code, out = place.run("snapshot", "environment")
    assert code == 0, out
    assert names(place, ".env.previous.") == kept, "the same once more keeps no copy"


def test_older_environments_are_pruned(running):
    place = running.place
    for day in (1, 2, 3, 4):
        (place.folder / f".env.previous.2026110{day}T000000Z").write_text("A=1\n")
    (place.folder / ".env.previous.by-hand").write_text("A=1\n")
    code, out = place.run("snapshot", "environment", "--keep", "2")
    assert code == 0, out
    kept = names(place, ".env.previous.")
    assert len(kept) == 2, "the newest of them, and what is not one of them"
    assert ".env.previous.by-hand" in kept


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ENV + "NUL=\0\n", "is not whole"),
        (ENV.replace("DB_PASSWORD", "DB_PASS"), "lacks DB_PASSWORD"),
    ],
)
def test_an_environment_that_is_not_whole_is_not_taken(running, content, says):
    place = running.place
    before = place.previous.read_text()
    place.env.write_text(content)
    place.restart()
    code, out = place.run("snapshot", "environment")
    assert code == 1, out
    assert says in out
    assert place.previous.read_text() == before


def test_the_virtualenv_is_copied_verified_and_put_in_place(running):
    place = running.place
    os.utime(running.venv / "bin" / "tool", (1763630000, 1763630000))
    code, out = place.run("snapshot", "virtualenv")
    assert code == 0, out
    assert "venv_backup, 2 packages" in out
    tool = (running.backup / "bin" / "tool").stat()
    assert (tool.st_mode & 0o777, tool.st_mtime) == (0o755, 1763630000)
    code, out = place.run("snapshot", "virtualenv")
    assert code == 0, out
    assert len(names(place, "venv_backup.previous.")) == 1
    for _ in range(2):
        assert place.run("snapshot", "virtualenv", "--keep", "2")[0] == 0
    assert len(names(place, "venv_backup")) == 2
    assert not names(place, "venv_backup.next")


def test_a_virtualenv_that_would_not_work_is_not_taken(running):
    place = running.place
    assert place.run("snapshot", "virtualenv")[0] == 0
    (running.venv / "bin" / "tool").write_text("#!/other/venv/bin/python\n")
    before = place.inventory(running.backup)
    code, out = place.run("snapshot", "virtualenv")
    assert code == 1, out
    assert "bin/tool (/other/venv/bin/python)" in out
    assert place.inventory(running.backup) == before
    assert names(place, "venv_backup") == ["venv_backup"]


def test_a_copy_that_the_disk_cannot_take_leaves_the_last_one(running, monkeypatch):
    from rollback import folder
    from rollback.errors import StepFailed

    place = running.place
    assert place.run("snapshot", "virtualenv")[0] == 0

    def full(site, source, to, **_):
        Path(to).mkdir()
        raise StepFailed("No space left on device")

    monkeypatch.setattr(folder, "copy", full)
    before = place.inventory(running.backup)
    code, out = place.run("snapshot", "virtualenv")
    assert code == 1, out
    assert "No space left on device" in out
    assert place.inventory(running.backup) == before
    assert names(place, "venv_backup") == ["venv_backup"]


def test_killed_between_its_renames_the_last_one_is_still_found(running, monkeypatch):
    place = running.place
    assert place.run("snapshot", "virtualenv")[0] == 0

    def half(self, source, destination):
        if source.endswith("venv_backup"):
            Path(source).rename(destination)
            os.kill(os.getpid(), 9)

    with monkeypatch.context() as patch:
        patch.setattr("tests.rollback.quick.QuickHost.rename", half)
        assert os.WIFSIGNALED(place.run_and_kill(lambda: None, "snapshot", "virtualenv"))
    assert not running.backup.exists()
    install(running.venv, "openai", "0.9")
    code, out = place.run("virtualenv")
    assert code == 0, out
    assert (site_packages(running.venv) / "openai-1.2.0.dist-info").exists()


def test_parts_that_the_target_does_not_offer_name_the_key(running):
    running.place.write_target(virtualenv={"path": str(running.venv)})
    code, out = running.place.run("snapshot", "virtualenv")
    assert code == 5
    assert "virtualenv.backup" in out
    assert Host("local://").facts(str(running.backup)) is None


def test_code_is_taken_into_a_dated_folder_and_nothing_is_replaced(running):
    place = running.place
    (running.package / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    os.utime(running.package / "names.py", (1763630000, 1763630000))
    code, out = place.run("snapshot", "code")
    assert code == 0, out
    first = next(running.backups.iterdir())
    assert (first / "app/services/voice_v2/names.py").stat().st_mtime == 1763630000
    assert (first / "app/services/voice_v2/default.py").is_symlink()
    assert not list(first.rglob("*.pyc"))
    before = place.inventory(first)
    assert place.run("snapshot", "code")[0] == 0
    both = sorted(path.name for path in running.backups.iterdir())
    assert both[0] == first.name
    assert both[1].startswith(f"{first.name}."), "a second one of the day has its time"
    assert place.inventory(first) == before
    (running.backups / "voice_v2_by_hand").mkdir()
    (running.backups / "voice_v2_20200101").mkdir()
    assert place.run("snapshot", "code", "--keep", "1")[0] == 0
    left = sorted(path.name for path in running.backups.iterdir())
    assert left[:1] == ["voice_v2_20200101"], "what has no manifest of ours is not ours to remove"
    assert len(left) == 3


def test_code_that_changes_while_it_is_copied_is_not_taken(running, monkeypatch):
    from rollback import folder

    real = folder.copy

    def copy(site, source, to, **more):
        real(site, source, to, **more)
        if source.endswith("voice_v2"):
            Path(to, "names.py").write_text("half\n")

    monkeypatch.setattr(folder, "copy", copy)
    code, out = running.place.run("snapshot", "code")
    assert code == 1, out
    assert "was changed while it was copied" in says(out)
    assert not list(running.backups.iterdir())
