"""The action `virtualenv`: a broken one makes way for the backup, and what runs is proven to run from it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.rollback.trees import install, says, site_packages

pytestmark = pytest.mark.drill


def only(paths):
    found = list(paths)
    assert len(found) == 1, found
    return found[0]


def spoil(trees):
    """Another version of a package is in the live one, and the service runs with that."""
    install(trees.venv, "openai", "0.9")
    trees.place.restart()


@pytest.fixture
def broken(trees):
    spoil(trees)
    return trees


def versions(venv):
    return sorted(path.name for path in site_packages(venv).glob("*.dist-info"))


@pytest.mark.covers("virtualenv", "apply", "second", "undo")
def test_the_backup_is_put_in_place_and_proven(broken):
    place = broken.place
    backup = place.inventory(broken.backup)
    code, out = place.run("virtualenv")
    assert code == 0, out
    assert "openai-1.2.0.dist-info" in versions(broken.venv)
    assert place.inventory(broken.backup) == backup, "the backup stays"
    kept = only(place.folder.glob("venv.failed.*"))
    assert "openai-0.9.dist-info" in versions(kept)
    assert f"runs from {broken.venv}" in says(out)
    assert "packages are those of 2.3.1" in says(out)
    before = place.inventory()
    code, out = place.run("virtualenv")
    assert (code, place.inventory()) == (0, before)
    assert "already there" in out
    code, out = place.run("virtualenv", "--undo")
    assert code == 0, out
    assert "openai-0.9.dist-info" in versions(broken.venv)
    assert "openai-1.2.0.dist-info" in versions(only(place.folder.glob("venv.undone.*")))
    assert not list(place.folder.glob("venv.failed.*"))
    assert place.serves() == "of 2.3.1"


def test_what_is_put_there_is_the_backup_to_the_last_mode_and_time(broken):
    tool = broken.backup / "bin" / "tool"
    tool.chmod(0o750)
    os.utime(tool, (1763630000, 1763630000))
    assert broken.place.run("virtualenv")[0] == 0
    facts = (broken.venv / "bin" / "tool").stat()
    assert (facts.st_mode & 0o7777, facts.st_mtime) == (0o750, 1763630000)
    assert (broken.venv / "bin" / "python").is_symlink()


@pytest.mark.covers("virtualenv", "dry-run")
def test_dry_run_shows_each_command_and_changes_nothing(broken):
    before = broken.place.inventory()
    code, out = broken.place.run("virtualenv", "--dry-run")
    assert (code, broken.place.inventory()) == (0, before)
    for command in (
        f"cp -a {broken.backup} {broken.venv}.next.",
        "quickctl stop voice",
        f"mv -T {broken.venv} {broken.venv}.failed.",
        "quickctl restart voice",
    ):
        assert command in out


@pytest.mark.covers("virtualenv", "kill", "undo", "second")
def test_killed_after_every_line(trees, survives_kills):
    def reset():
        trees.reset()
        spoil(trees)

    def is_new():
        assert versions(trees.venv) == versions(trees.backup)
        assert only(trees.place.folder.glob("venv.failed.*"))
        assert not list(trees.place.folder.glob("venv.next.*"))
        assert trees.place.serves() == "of 2.3.1"

    def is_old():
        assert "openai-0.9.dist-info" in versions(trees.venv)
        assert not list(trees.place.folder.glob("venv.next.*"))
        assert not list(trees.place.folder.glob("venv.failed.*"))
        trees.place.wait_for(lambda: trees.place.serves() == "of 2.3.1")

    survives_kills(trees.place, ["virtualenv"], reset=reset, is_new=is_new, is_old=is_old)


def missing(trees):
    shutil.rmtree(trees.backup)


def interpreter_gone(trees):
    (trees.backup / "bin" / "python").unlink()
    (trees.backup / "bin" / "python").symlink_to("/nowhere/python3")


def no_config(trees):
    (trees.backup / "pyvenv.cfg").unlink()


def other_packages(trees):
    install(trees.backup, "openai", "1.1")


def package_missing(trees):
    shutil.rmtree(site_packages(trees.backup) / "openai-1.2.0.dist-info")


def script_elsewhere(trees):
    (trees.backup / "bin" / "tool").write_text(f"#!{trees.backup}/bin/python\n")


def script_wrapped_elsewhere(trees):
    (trees.backup / "bin" / "tool").write_text(
        "#!/bin/sh\n'''exec' \"/other/venv/bin/python\" \"$0\" \"$@\"\n' '''\n"
    )


def activate_elsewhere(trees):
    activate = trees.backup / "bin" / "activate"
    activate.write_text(activate.read_text().replace(f"{trees.venv}", "/srv/elsewhere"))


def does_not_fit(trees):
    install(trees.backup, "openai", "1.2.0", "httpx>=0.23", 'win32-only; sys_platform == "win32"')


@pytest.mark.covers("virtualenv", "refused")
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (missing, "the backup of the virtualenv, is not there"),
        (interpreter_gone, "venv_backup/bin/python"),
        (no_config, "pyvenv.cfg is not there, or names no home"),
        (other_packages, "its packages are not those of 2.3.1: openai 1.1, not 1.2.0"),
        (package_missing, "openai is missing"),
        (script_elsewhere, "its scripts point elsewhere: bin/tool ("),
        (script_wrapped_elsewhere, "bin/tool (/other/venv/bin/python)"),
        (activate_elsewhere, "bin/activate (/srv/elsewhere)"),
        (does_not_fit, "do not fit together: openai needs httpx>=0.23, which is not there"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_backup_that_would_not_work_is_refused(broken, harm, told):
    harm(broken)
    before = broken.place.inventory()
    code, out = broken.place.run("virtualenv")
    assert (code, broken.place.inventory()) == (5, before), out
    assert told in says(out)
    assert "nothing was changed" in says(out)
    assert "win32" not in out
    assert broken.place.serves() == "of 2.3.1"


def test_an_older_backup_that_is_whole_is_taken(broken):
    shutil.copytree(broken.backup, Path(f"{broken.backup}.previous.20261101T000000Z"), symlinks=True)
    other_packages(broken)
    code, out = broken.place.run("virtualenv")
    assert code == 0, out
    assert "venv_backup.previous.20261101T000000Z" in out
    assert "openai-1.2.0.dist-info" in versions(broken.venv)


def test_no_backup_in_the_target_is_a_target_error(broken):
    broken.place.write_target(**{**broken.settings, "virtualenv": {"path": str(broken.venv)}})
    code, out = broken.place.run("virtualenv")
    assert code == 4
    assert "no `virtualenv.backup`" in out


def test_a_virtualenv_that_is_gone_is_brought_back_and_undone(broken):
    shutil.rmtree(broken.venv)
    code, out = broken.place.run("virtualenv")
    assert code == 0, out
    assert versions(broken.venv) == versions(broken.backup)
    code, out = broken.place.run("virtualenv", "--undo")
    assert code == 0, out
    assert not broken.venv.exists()
    assert only(broken.place.folder.glob("venv.undone.*"))


def test_status_does_not_offer_the_backup_of_a_record_that_is_marked_bad(trees):
    def way():
        told = json.loads(trees.place.run("status", "--json")[1])
        return only(way for way in told["hosts"][0]["ways"] if way["action"] == "virtualenv")

    assert way()["usable"]
    assert trees.place.run("record", "--mark-bad", "loses every tenth request")[0] == 0
    assert (way()["usable"], way()["records"]) == (False, [])
    assert "bad: loses every tenth request" in way()["says"]


def test_put_back_by_hand_it_is_switched_all_the_same(broken):
    """Somebody renamed by hand: the process still runs from the one that was moved away."""
    broken.venv.rename(broken.place.folder / "venv.bad")
    shutil.copytree(broken.backup, broken.venv, symlinks=True)
    code, out = broken.place.run("virtualenv")
    assert code == 0, out
    assert f"runs from {broken.venv}" in says(out)


def test_a_file_that_no_list_of_packages_tells_of_is_brought_back(trees):
    """The package's folder is gone, what says that it is installed is not: the service does not start."""
    module = site_packages(trees.venv) / "openai.py"
    for venv in (trees.venv, trees.backup):
        (site_packages(venv) / "openai.py").write_text("")
    trees.place.restart()
    module.unlink()
    trees.place.env.write_text(trees.place.env.read_text().replace("MODE=ok", "MODE=sick"))
    trees.place.restart()
    code, out = trees.place.run("virtualenv")
    assert "mends nothing" not in out
    assert module.exists() is False, "undone, since it is the environment that is sick"
    assert code == 1, out


def test_going_to_what_is_there_and_does_not_work_is_refused(trees):
    trees.place.env.write_text(trees.place.env.read_text().replace("MODE=ok", "MODE=sick"))
    trees.place.restart()
    before = trees.place.inventory()
    code, out = trees.place.run("virtualenv")
    assert (code, trees.place.inventory()) == (5, before), out
    assert "mends nothing" in says(out)


def test_a_disk_that_fills_up_in_the_middle_is_undone(broken, monkeypatch):
    from rollback import folder
    from rollback.errors import StepFailed

    def full(site, source, to, **_):
        Path(to).mkdir()
        (Path(to) / "half").touch()
        raise StepFailed(f"{source} cannot be copied to {to}: No space left on device")

    monkeypatch.setattr(folder, "copy", full)
    before = broken.place.inventory(broken.venv)
    code, out = broken.place.run("virtualenv")
    assert code == 1, out
    assert "No space left on device" in says(out)
    assert broken.place.inventory(broken.venv) == before
    assert not list(broken.place.folder.glob("venv.*"))


def test_a_switch_that_is_not_allowed_is_undone_and_the_service_runs_again(broken, monkeypatch):
    from rollback.errors import StepFailed
    from rollback.swap import Switch

    def denied(self, script):
        raise StepFailed("mv: Permission denied")

    monkeypatch.setattr(Switch, "_move", denied)
    code, out = broken.place.run("virtualenv")
    assert code == 1, out
    assert "openai-0.9.dist-info" in versions(broken.venv)
    assert broken.place.serves() == "of 2.3.1", "stopped for the switch, it was started again"


def test_what_somebody_put_there_between_the_renames_is_not_lost(broken, monkeypatch):
    from rollback.swap import Switch

    def half(self, script):
        broken.venv.rename(self.swaps[0].kept)
        os.kill(os.getpid(), 9)

    with monkeypatch.context() as patch:
        patch.setattr(Switch, "_move", half)
        broken.place.run_and_kill(lambda: None, "virtualenv")
    broken.venv.mkdir()
    (broken.venv / "by-hand").touch()
    code, out = broken.place.run("virtualenv", "--resume")
    assert code == 1, out
    assert "was put there by somebody" in says(out)
    assert "openai-0.9.dist-info" in versions(broken.venv)
    assert (only(broken.place.folder.glob("venv.undone.*")) / "by-hand").exists()
