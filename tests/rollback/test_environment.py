"""The action `environment` from the command line, on a real service under a real supervisord."""

import json
import stat
from pathlib import Path

import pytest

from rollback.errors import StepFailed
from rollback.restart import Restart

pytestmark = pytest.mark.drill

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
BAD = "NAME=bad\nMODE=sick\nDB_PASSWORD=swordfish-two\nVERSION=2.3.1\n"


def only(paths):
    found = list(paths)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.covers("environment", "apply")
def test_brings_the_previous_environment_back_and_proves_it(place):
    code, out = place.run("environment")
    assert code == 0, out
    assert place.serves() == "good"
    assert place.env.read_text() == GOOD
    assert stat.S_IMODE(place.env.stat().st_mode) == 0o640, "the mode of the file in place is kept"
    assert place.previous.read_text() == GOOD, "the previous file stays"
    assert only(place.folder.glob(".env.failed.*")).read_text() == BAD
    lines = out.splitlines()
    assert lines[0].startswith("tiny · Level 1 · environment on no record (.env.previous, 2025-11-20 09:13)")
    assert "DB_PASSWORD, MODE, NAME changed" in out
    assert "done in " in lines[-3]
    assert lines[-2] == f"  now   pytest -m post_rollback --target {place.target}"
    assert lines[-1] == f"  undo  python -m rollback --target {place.target} environment --undo"
    assert not list(place.state.glob("lock*")), "the lock is released"


@pytest.mark.covers("environment", "second")
def test_a_second_run_writes_nothing_at_all(place):
    assert place.run("environment")[0] == 0
    before = place.inventory()
    code, out = place.run("environment")
    assert (code, place.inventory()) == (0, before)
    assert "already there" in out
    assert "nothing to do" in out


def test_no_secret_is_written_anywhere(quick):
    _, out = quick.run("environment")
    _, undo = quick.run("environment", "--undo")
    written = [path.read_text() for path in quick.state.rglob("*") if path.is_file()]
    assert written
    for text in (out, undo, *written):
        assert "swordfish" not in text


def test_journal_tells_intent_before_outcome(quick):
    quick.run("environment")
    journal = only(quick.journals())
    events = [(line["event"], line.get("step")) for line in journal]
    steps = [(event, step) for step in (1, 2, 3, 4) for event in ("intent", "done")]
    assert events == [("begin", None), *steps, ("end", None)]
    assert journal[-1]["outcome"] == "done"


@pytest.mark.covers("environment", "dry-run")
def test_dry_run_shows_each_command_and_changes_nothing(quick):
    before = quick.inventory()
    code, out = quick.run("environment", "--dry-run")
    assert (code, quick.inventory()) == (0, before)
    assert not quick.state.exists()
    for command in (
        f"cp -p {quick.env} {quick.env}.failed.",
        "mv -T ",
        "restart voice",
        "nothing was changed",
    ):
        assert command in out
    assert quick.serves() == "bad"


@pytest.mark.covers("environment", "undo")
def test_undo_brings_back_bytes_mode_and_process(place):
    before = place.inventory()[".env"]
    place.run("environment")
    code, out = place.run("environment", "--undo")
    assert code == 0, out
    after = place.inventory()[".env"]
    assert [after[part] for part in (0, 1, 2, 3, 5)] == [before[part] for part in (0, 1, 2, 3, 5)]
    assert place.serves() == "bad"
    assert "does not work, as before" in out


def test_undo_twice_is_refused(quick):
    quick.run("environment")
    quick.run("environment", "--undo")
    before = quick.inventory()
    code, out = quick.run("environment", "--undo")
    assert (code, quick.inventory()) == (5, before)
    assert "nothing to undo" in out


def as_run_of_git(journal, run):
    """The same finished run as one of another action."""
    told = journal.read_text().replace(journal.stem, run).replace('"action":"environment"', '"action":"git"')
    journal.with_name(f"{run}.jsonl").write_text(told)


def test_what_came_later_is_undone_first(quick):
    quick.run("environment")
    as_run_of_git(only((quick.state / "journals").iterdir()), "99991231T235959Z-git")
    code, out = quick.run("environment", "--undo")
    assert code == 5
    assert "99991231T235959Z-git came later and has to be undone first: python -m rollback" in " ".join(
        out.split()
    )


@pytest.mark.covers("environment", "refused")
def test_an_undo_is_not_led_to_the_earlier_run_of_another_action(quick):
    """To follow that would bring back what was broken before."""
    quick.run("environment")
    as_run_of_git(only((quick.state / "journals").iterdir()), "20000101T000000Z-git")
    quick.run("environment", "--undo")
    before = quick.inventory()
    code, out = quick.run("environment", "--undo")
    assert (code, quick.inventory()) == (5, before)
    assert "nothing to undo: no run of environment stands" in " ".join(out.split())
    assert "git --undo" not in out


def test_after_an_undo_one_can_roll_back_again(quick):
    for arguments in ((), ("--undo",), ()):
        assert quick.run("environment", *arguments)[0] == 0
    assert quick.serves() == "good"


def test_undo_keeps_what_somebody_wrote_meanwhile(quick):
    quick.run("environment")
    quick.env.write_text(GOOD + "EXTRA=1\n")
    assert quick.run("environment", "--undo")[0] == 0
    assert quick.env.read_text() == BAD
    assert only(quick.folder.glob(".env.undone.*")).read_text() == GOOD + "EXTRA=1\n"


def test_a_service_that_never_gets_ready_is_undone(place):
    place.reset(env=BAD, previous=GOOD.replace("MODE=ok", "MODE=never"))
    before = place.inventory()[".env"]
    code, out = place.run("environment")
    assert code == 1, out
    after = place.inventory()[".env"]
    assert [after[part] for part in (0, 1, 2, 3, 5)] == [before[part] for part in (0, 1, 2, 3, 5)]
    place.wait_for(lambda: place.serves() == "bad")
    assert "FAILED and undone" in out
    assert "was not ready after" in out
    assert "starting in mode never" in out, "the service's last words are shown"
    assert "swordfish" not in out
    assert only(place.folder.glob(".env.failed.*")).read_text() == BAD
    assert only(place.journals())[-1]["outcome"] == "undone"


def test_a_service_that_ends_at_once_is_undone_without_waiting(place):
    place.reset(env=BAD.replace("sick", "ok"), previous=GOOD.replace("MODE=ok", "MODE=exit"))
    place.write_target(service={"ready_s": 30})
    code, out = place.run("environment")
    assert code == 1, out
    assert place.serves() == "bad"
    assert place.env.read_text() == BAD.replace("sick", "ok")


def test_a_restart_that_cannot_be_undone_says_so(quick):
    """The service worked before; the file that makes it work is taken from it while the action runs."""
    quick.reset(env=BAD.replace("sick", "ok"), previous=GOOD.replace("MODE=ok", "MODE=exit"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Restart, "undo", lambda *_: (_ for _ in ()).throw(StepFailed("no supervisor any more")))
        code, out = quick.run("environment")
    assert code == 3
    assert "FAILED and NOT undone" in out
    assert f"{quick.env}: the file of before" in out
    assert "--resume" in out
    assert quick.run("environment", "--resume")[0] == 1, "the way back is tried again"
    quick.wait_for(lambda: quick.serves() == "bad")


def test_restored_but_not_restarted_needs_the_restart_only(quick):
    quick.env.write_text(GOOD)
    assert quick.serves() == "bad"
    code, out = quick.run("environment")
    assert code == 0, out
    assert quick.serves() == "good"
    assert not list(quick.folder.glob(".env.failed.*"))
    assert [line["name"] for line in only(quick.journals()) if line["event"] == "done"] == [
        "restart",
        "prove",
    ]
    assert "--undo" not in out, "a command that is refused is not named"
    assert quick.run("environment", "--undo")[0] == 5


def test_named_file(quick):
    other = quick.folder / ".env.other"
    other.write_text(GOOD.replace("good", "other"))
    code, out = quick.run("environment", "--to", str(other))
    assert code == 0, out
    assert quick.serves() == "other"
    other.unlink()


def test_a_symlink_stays_and_its_destination_is_switched(quick):
    real = quick.folder / ".env.real"
    quick.env.rename(real)
    quick.env.symlink_to(real.name)
    assert quick.run("environment")[0] == 0
    assert quick.env.is_symlink()
    assert real.read_text() == GOOD


def test_a_missing_environment_is_brought_back_and_undone(quick):
    quick.env.unlink()
    code, out = quick.run("environment")
    assert code == 0, out
    assert quick.serves() == "good"
    assert quick.run("environment", "--undo")[0] == 0
    assert not quick.env.exists()


def test_json_is_all_there_is_on_standard_output(quick):
    code, out = quick.run("environment", "--json")
    told = json.loads(out)
    assert (code, told["exit_code"]) == (0, 0)
    host = only(told["hosts"])
    assert host["outcome"] == "done"
    assert [step["name"] for step in host["steps"]] == [
        "1 set aside .env",
        "2 switch .env",
        "3 restart",
        "4 prove",
    ]
    assert Path(host["journal"]).exists()
