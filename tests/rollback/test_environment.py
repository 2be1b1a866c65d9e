"""The action `environment` from the command line, on a real service under a real supervisord."""

import json
import os
import stat

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
BAD = "NAME=bad\nMODE=sick\nDB_PASSWORD=swordfish-two\nVERSION=2.3.1\n"


def only(paths):
    found = list(paths)
    assert len(found) == 1, found
    return found[0]


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


def test_a_second_run_writes_nothing_at_all(place):
    assert place.run("environment")[0] == 0
    before = place.inventory()
    code, out = place.run("environment")
    assert (code, place.inventory()) == (0, before)
    assert "already there" in out
    assert "nothing to do" in out


def test_no_secret_is_written_anywhere(place):
    _, out = place.run("environment")
    _, undo = place.run("environment", "--undo")
    written = [path.read_text() for path in place.state.rglob("*") if path.is_file()]
    assert written
    for text in (out, undo, *written):
        assert "swordfish" not in text


def test_journal_tells_intent_before_outcome(place):
    place.run("environment")
    journal = only(place.journals())
    events = [(line["event"], line.get("step")) for line in journal]
    steps = [(event, step) for step in (1, 2, 3, 4) for event in ("intent", "done")]
    assert events == [("begin", None), *steps, ("end", None)]
    assert journal[-1]["outcome"] == "done"


def test_dry_run_shows_each_command_and_changes_nothing(place):
    before = place.inventory()
    code, out = place.run("environment", "--dry-run")
    assert (code, place.inventory()) == (0, before)
    assert not place.state.exists()
    for command in (
        f"cp -p {place.env} {place.env}.failed.",
        "mv -T ",
        "restart voice",
        "nothing was changed",
    ):
        assert command in out
    assert place.serves() == "bad"


def test_undo_brings_back_bytes_mode_and_process(place):
    before = place.inventory()[".env"]
    place.run("environment")
    code, out = place.run("environment", "--undo")
    assert code == 0, out
    after = place.inventory()[".env"]
    assert [after[part] for part in (0, 1, 2, 3, 5)] == [before[part] for part in (0, 1, 2, 3, 5)]
    assert place.serves() == "bad"
    assert "does not work, as before" in out


def test_undo_twice_is_refused(place):
    place.run("environment")
    place.run("environment", "--undo")
    before = place.inventory()
    code, out = place.run("environment", "--undo")
    assert (code, place.inventory()) == (5, before)
    assert "nothing to undo" in out


def test_after_an_undo_one_can_roll_back_again(place):
    for arguments in ((), ("--undo",), ()):
        assert place.run("environment", *arguments)[0] == 0
    assert place.serves() == "good"


def test_undo_keeps_what_somebody_wrote_meanwhile(place):
    place.run("environment")
    place.env.write_text(GOOD + "EXTRA=1\n")
    assert place.run("environment", "--undo")[0] == 0
    assert place.env.read_text() == BAD
    assert only(place.folder.glob(".env.undone.*")).read_text() == GOOD + "EXTRA=1\n"


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


def test_a_restart_that_cannot_be_undone_says_so(place):
    """The service worked before; the file that makes it work is taken from it while the action runs."""
    place.reset(env=BAD.replace("sick", "ok"), previous=GOOD.replace("MODE=ok", "MODE=exit"))
    from rollback.restart import Restart
    from rollback.errors import StepFailed

    import pytest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Restart, "undo", lambda *_: (_ for _ in ()).throw(StepFailed("no supervisor any more")))
        code, out = place.run("environment")
    assert code == 3
    assert "FAILED and NOT undone" in out
    assert f"{place.env}: the file of before" in out
    assert "--resume" in out
    assert place.run("environment", "--resume")[0] == 1, "the way back is tried again"
    place.wait_for(lambda: place.serves() == "bad")


def test_restored_but_not_restarted_needs_the_restart_only(place):
    place.env.write_text(GOOD)
    assert place.serves() == "bad"
    code, out = place.run("environment")
    assert code == 0, out
    assert place.serves() == "good"
    assert not list(place.folder.glob(".env.failed.*"))
    assert [line["name"] for line in only(place.journals()) if line["event"] == "done"] == [
        "restart",
        "prove",
    ]


def test_named_file(place):
    other = place.folder / ".env.other"
    other.write_text(GOOD.replace("good", "other"))
    code, out = place.run("environment", "--to", str(other))
    assert code == 0, out
    assert place.serves() == "other"
    other.unlink()


def test_a_symlink_stays_and_its_destination_is_switched(place):
    real = place.folder / ".env.real"
    place.env.rename(real)
    place.env.symlink_to(real.name)
    assert place.run("environment")[0] == 0
    assert place.env.is_symlink()
    assert real.read_text() == GOOD


def test_a_missing_environment_is_brought_back_and_undone(place):
    place.env.unlink()
    code, out = place.run("environment")
    assert code == 0, out
    assert place.serves() == "good"
    assert place.run("environment", "--undo")[0] == 0
    assert not place.env.exists()


def test_json_is_all_there_is_on_standard_output(place):
    code, out = place.run("environment", "--json")
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
    assert os.path.exists(host["journal"])
