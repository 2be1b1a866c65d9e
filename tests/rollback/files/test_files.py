"""The action `files`: changed code makes way for the dated backup, and what runs is proven to be that."""

import contextlib
import importlib.util
import json
import os
import py_compile
import shutil
from pathlib import Path

import pytest

from target.host import Host
from target.record import Records
from tests.rollback.trees import BAD, GOOD, says

pytestmark = pytest.mark.drill


def only(paths):
    found = list(paths)
    assert len(found) == 1, found
    return found[0]


def spoil(trees):
    """A bad release lies there and runs."""
    trees.write_code(BAD)
    trees.place.restart()


@pytest.fixture
def broken(trees):
    spoil(trees)
    assert trees.place.serves() == f"of {BAD}"
    return trees


def facts(folder):
    """Kind, mode, owner, time and content of all in a folder, but for what Python has compiled there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts:
            at = path.lstat()
            content = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
            found[str(path.relative_to(folder))] = (at.st_mode, at.st_uid, at.st_mtime_ns, content)
    return found


@pytest.mark.covers("files", "apply", "second", "undo")
def test_the_backup_is_put_in_place_and_proven(broken):
    place = broken.place
    backup = only(broken.backups.iterdir())
    before, stays = facts(broken.package), place.inventory(broken.backups)
    code, out = place.run("files")
    assert code == 0, out
    assert place.serves() == f"of {GOOD}"
    assert facts(broken.package) == facts(backup / "app/services/voice_v2")
    assert (broken.package / "default.py").readlink() == Path("names.py")
    assert (broken.package / "tool.sh").stat().st_mode & 0o777 == 0o750
    assert place.inventory(broken.backups) == stays, "the backup stays"
    kept = only(broken.package.parent.glob("voice_v2.failed.*"))
    assert facts(kept) == before, "what was there is kept as it was"
    assert "5 files of code as recorded" in says(out)
    assert "serves 2.3.1" in says(out)
    everything = place.inventory()
    code, out = place.run("files")
    assert (code, place.inventory()) == (0, everything), out
    assert "already there" in out
    code, out = place.run("files", "--undo")
    assert code == 0, out
    assert facts(broken.package) == before
    assert place.serves() == f"of {BAD}"
    assert not list(broken.checkout.rglob("*.failed.*"))
    assert only(broken.package.parent.glob("voice_v2.undone.*"))


@pytest.mark.covers("files", "dry-run")
def test_dry_run_shows_each_command_and_changes_nothing(broken):
    before = broken.place.inventory()
    code, out = broken.place.run("files", "--dry-run")
    assert (code, broken.place.inventory()) == (0, before)
    for command in (
        f"cp -a {broken.backups}/voice_v2_20261120/app/services/voice_v2 {broken.package}.next.",
        "quickctl stop voice",
        f"mv -T {broken.package} {broken.package}.failed.",
        f"mv -T {broken.requirements} {broken.requirements}.failed.",
        "quickctl restart voice",
    ):
        assert command in out


@pytest.mark.covers("files", "kill", "undo", "second")
def test_killed_after_every_line(trees, survives_kills):
    def reset():
        trees.reset()
        spoil(trees)

    def is_new():
        assert trees.place.serves() == f"of {GOOD}"
        assert f'"{GOOD}"' in (trees.package / "__init__.py").read_text()
        assert only(trees.package.parent.glob("voice_v2.failed.*"))
        assert not list(trees.checkout.rglob("*.next.*"))

    def is_old():
        trees.place.wait_for(lambda: trees.place.serves() == f"of {BAD}")
        assert not list(trees.checkout.rglob("*.next.*"))
        assert not list(trees.checkout.rglob("*.failed.*"))

    survives_kills(trees.place, ["files"], reset=reset, is_new=is_new, is_old=is_old)


def test_bytecode_of_the_bad_release_never_serves(broken):
    """Python believes compiled code whose source has the time and size that it remembers."""
    names = broken.package / "names.py"
    py_compile.compile(str(names), doraise=True)
    good = only(broken.backups.iterdir()) / "app/services/voice_v2/names.py"
    os.utime(good, ns=(names.stat().st_mtime_ns, names.stat().st_mtime_ns))
    assert good.stat().st_size == names.stat().st_size
    code, out = broken.place.run("files")
    assert code == 0, out
    assert broken.place.serves() == f"of {GOOD}"


def test_what_was_compiled_of_another_source_is_not_taken_for_the_code_in_place(trees):
    """Nobody looks at the source of it any more, so that a restart would do nothing."""
    names = trees.package / "names.py"
    other = trees.place.folder / "other.py"
    other.write_text(names.read_text().replace(GOOD, BAD))
    cache = importlib.util.cache_from_source(str(names))
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(other), cache, str(names), doraise=True, invalidation_mode=unchecked)
    trees.place.restart()
    assert trees.place.serves() == f"of {BAD}"
    code, out = trees.place.run("files")
    assert code == 0, out
    assert "already there" not in out
    assert trees.place.serves() == f"of {GOOD}"


def test_bytecode_in_a_backup_is_left_out(broken):
    cache = only(broken.backups.iterdir()) / "app/services/voice_v2/__pycache__"
    cache.mkdir()
    (cache / "names.cpython-311.pyc").write_bytes(b"stale")
    assert broken.place.run("files")[0] == 0
    assert not (broken.package / "__pycache__/names.cpython-311.pyc").exists() or (
        (broken.package / "__pycache__/names.cpython-311.pyc").read_bytes() != b"stale"
    )


def missing(trees, backup):
    (backup / "app/services/voice_v2/names.py").unlink()


def changed(trees, backup):
    (backup / "app/services/voice_v2/names.py").write_text("NAME = 1\n")


def mode_changed(trees, backup):
    (backup / "app/services/voice_v2/tool.sh").chmod(0o640)


def package_gone(trees, backup):
    shutil.rmtree(backup / "app")


def requirements_gone(trees, backup):
    (backup / "requirements.txt").unlink()


def no_manifest(trees, backup):
    (backup / "manifest.json").unlink()


def torn_manifest(trees, backup):
    (backup / "manifest.json").write_text((backup / "manifest.json").read_text()[:100])


def none_at_all(trees, backup):
    shutil.rmtree(trees.backups)


def too_old(trees, backup):
    trees.place.write_target(**{**trees.settings, "code": {**trees.settings["code"], "max_age_days": 1}})


def all_bad(trees, backup):
    Records(Host("local://"), str(trees.place.state)).mark_bad(GOOD, "it leaks")


def of_another(trees, backup):
    trees.write_code("2.2.0")
    trees.take_code("20261124T000000Z")
    shutil.rmtree(backup)


@pytest.mark.covers("files", "refused")
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (missing, "voice_v2_20261120 is incomplete: app/services/voice_v2/names.py is missing"),
        (changed, "app/services/voice_v2/names.py was changed"),
        (mode_changed, "modes of files were changed"),
        (package_gone, "no folder app/services/voice_v2 there"),
        (requirements_gone, "requirements.txt is missing"),
        (no_manifest, "to take one without a manifest: --to "),
        (torn_manifest, "its manifest cannot be understood"),
        (none_at_all, "there is no backup of the code"),
        (too_old, "more than code.max_age_days allows"),
        (all_bad, "no healthy record"),
        (of_another, "no backup is of 2.3.1"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_backup_that_is_not_good_is_refused(broken, harm, told):
    harm(broken, only(broken.backups.iterdir()))
    before = broken.place.inventory()
    code, out = broken.place.run("files")
    assert (code, broken.place.inventory()) == (5, before), out
    assert told in says(out)
    assert "nothing was changed" in says(out)


def test_an_incomplete_one_is_told_and_the_next_one_taken(trees):
    newer = trees.take_code("20261122T000000Z")
    spoil(trees)
    missing(trees, newer)
    code, out = trees.place.run("files")
    assert code == 0, out
    assert "voice_v2_20261122 is incomplete" in says(out)
    assert "(voice_v2_20261120)" in says(out)
    assert trees.place.serves() == f"of {GOOD}"


class TestNamed:
    def test_without_a_manifest_it_is_judged_by_the_records(self, broken):
        backup = only(broken.backups.iterdir())
        no_manifest(broken, backup)
        code, out = broken.place.run("files", "--to", str(backup))
        assert code == 0, out
        assert "nothing tells whether it is whole" in says(out)
        assert "of 2.3.1" in says(out)
        assert broken.place.serves() == f"of {GOOD}"

    def test_of_no_record_it_is_accepted_and_told(self, broken):
        other = broken.place.folder / "backup_elsewhere"
        shutil.copytree(broken.checkout, other, symlinks=True)
        broken.write_code("2.5.0")
        broken.place.restart()
        code, out = broken.place.run("files", "--to", str(other))
        assert code == 0, out
        assert "has the code of no record" in says(out)
        assert broken.place.serves() == f"of {BAD}"

    def test_of_a_bad_record_it_is_refused(self, broken):
        backup = only(broken.backups.iterdir())
        all_bad(broken, backup)
        code, out = broken.place.run("files", "--to", str(backup))
        assert code == 5
        assert "bad: it leaks" in says(out)

    def test_incomplete_it_is_refused(self, broken):
        backup = only(broken.backups.iterdir())
        missing(broken, backup)
        code, out = broken.place.run("files", "--to", str(backup))
        assert code == 5
        assert "names.py is missing" in says(out)

    def test_a_record_and_its_version(self, broken):
        assert broken.place.run("files", "--to", GOOD)[0] == 0
        assert broken.place.serves() == f"of {GOOD}"

    def test_an_unfinished_run_is_not_turned_elsewhere(self, broken, kill_after_line):
        broken.place.run_and_kill(kill_after_line(3), "files")
        code, out = broken.place.run("files", "--to", "/elsewhere/backup")
        assert code == 5
        assert "an unfinished run goes to" in says(out)


def test_a_package_that_is_gone_is_brought_back(broken):
    shutil.rmtree(broken.package)
    code, out = broken.place.run("files")
    assert code == 0, out
    assert broken.place.serves() == f"of {GOOD}"


def test_put_back_by_hand_it_is_switched_all_the_same(broken):
    """What Python has compiled of the bad release would be served by a restart: the time of the source is the same."""
    broken.write_code(GOOD)
    code, out = broken.place.run("files")
    assert code == 0, out
    assert broken.place.serves() == f"of {GOOD}"


def test_going_to_what_is_there_and_does_not_work_is_refused(trees):
    trees.place.env.write_text(trees.place.env.read_text().replace("MODE=ok", "MODE=sick"))
    trees.place.restart()
    before = trees.place.inventory()
    code, out = trees.place.run("files")
    assert (code, trees.place.inventory()) == (5, before), out
    assert "mends nothing" in says(out)


def test_a_release_that_does_not_start_is_undone(broken):
    """The backup is whole, and is of a release that the environment of today does not let start."""
    broken.place.write_target(**broken.settings, service={"ready_s": 1.0})
    broken.place.env.write_text(broken.place.env.read_text().replace("MODE=ok", "MODE=exit"))
    before = facts(broken.package)
    code, out = broken.place.run("files")
    assert code == 3 or code == 1, out
    assert facts(broken.package) == before
    assert only(broken.package.parent.glob("voice_v2.undone.*")), "the evidence stays"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_is_refused(broken, tmp_path, small_disk):
    disk = small_disk(tmp_path / "disk", "1m")
    shutil.copytree(broken.checkout, disk / "service", symlinks=True)
    settings = {**broken.settings, "code": {**broken.settings["code"], "checkout": str(disk / "service")}}
    broken.place.write_target(**settings)
    before = broken.place.inventory(disk)
    code, out = broken.place.run("files")
    assert (code, broken.place.inventory(disk)) == (5, before), out
    assert "too little for a copy" in says(out)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_in_the_middle_is_undone(broken, tmp_path, small_disk, monkeypatch):
    from rollback import folder
    from rollback.step import Finding

    disk = small_disk(tmp_path / "disk", "1m")
    shutil.copytree(broken.checkout, disk / "service", symlinks=True)
    settings = {**broken.settings, "code": {**broken.settings["code"], "checkout": str(disk / "service")}}
    broken.place.write_target(**settings)
    before = facts(disk / "service/app/services/voice_v2")

    def room_then_none(*_):
        with (disk / "rest").open("ab", buffering=0) as rest, contextlib.suppress(OSError):
            while rest.write(b"x" * 4096):
                pass
        return Finding("room")

    monkeypatch.setattr(folder, "check_room", room_then_none)
    code, out = broken.place.run("files")
    assert code == 1, out
    assert "No space left on device" in says(out)
    assert facts(disk / "service/app/services/voice_v2") == before
    assert not list(disk.rglob("*.next.*"))
    assert broken.place.serves() == f"of {BAD}"


def test_a_manifest_tells_what_is_in_a_backup(trees):
    manifest = json.loads((only(trees.backups.iterdir()) / "manifest.json").read_text())
    assert (manifest["format"], manifest["record"], manifest["version"]) == (1, GOOD, GOOD)
    files = manifest["files"]
    assert files["app/services/voice_v2/tool.sh"]["mode"] == "750"
    assert files["app/services/voice_v2/default.py"]["link"] == "names.py"
    assert "requirements.txt" in files
