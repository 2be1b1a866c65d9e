"""A run that can be brought to no end is given up: only its journal changes, and other actions are free again."""

import os
import signal

import pytest

pytestmark = pytest.mark.drill


def left_unfinished(place, kill_after_line, line):
    status = place.run_and_kill(kill_after_line(line), "environment")
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def besides(inventory):
    """An inventory without the journals, the lock and the folders that hold them."""
    return {path: facts for path, facts in inventory.items() if path.partition("/")[0] != "state"}


@pytest.mark.parametrize("line", [1, 4, 7])
def test_it_says_what_state_things_are_in_and_frees_the_others(quick, kill_after_line, line):
    left_unfinished(quick, kill_after_line, line)
    refused, out = quick.run("snapshot", "environment")
    assert (refused, "unfinished" in out) == (5, True), out
    before = besides(quick.inventory())

    code, out = quick.run("environment", "--abandon", "the backup is lost")

    assert code == 0, out
    assert besides(quick.inventory()) == before
    assert not list(quick.state.glob("lock*"))
    assert "everything is left as it is" in out
    assert f"{quick.env}" in out
    assert quick.journals()[-1][-1]["event"] == "abandoned"
    assert quick.journals()[-1][-1]["why"] == "the backup is lost"
    assert "unfinished" not in quick.run("snapshot", "environment")[1]
    assert "the backup is lost" in quick.run("status")[1]


def test_the_action_itself_begins_anew(quick, kill_after_line):
    left_unfinished(quick, kill_after_line, 4)
    assert quick.run("environment", "--abandon", "tried twice")[0] == 0
    refused, out = quick.run("environment", "--resume")
    assert (refused, "was abandoned as it stood" in out) == (5, True), out
    code, out = quick.run("environment")
    assert code == 0, out
    assert quick.serves() == "good"


def test_an_abandoned_run_is_not_taken_back(quick, kill_after_line):
    left_unfinished(quick, kill_after_line, 4)
    quick.run("environment", "--abandon", "tried twice")
    code, out = quick.run("environment", "--undo")
    assert (code, "nothing to undo" in out) == (5, True), out


@pytest.mark.parametrize(
    ("words", "says"), [(["tried"], "nothing to abandon"), ([" "], "nothing to abandon")]
)
def test_what_is_finished_cannot_be_given_up(quick, words, says):
    quick.run("environment")
    before = quick.inventory()
    code, out = quick.run("environment", "--abandon", *words)
    assert (code, says in out, quick.inventory()) == (5, True, before), out


def test_a_reason_is_needed(quick, kill_after_line):
    left_unfinished(quick, kill_after_line, 4)
    code, out = quick.run("environment", "--abandon", " ")
    assert (code, "takes the reason" in out) == (5, True), out


def test_a_dry_run_changes_nothing(quick, kill_after_line):
    left_unfinished(quick, kill_after_line, 4)
    before = quick.inventory()
    code, out = quick.run("environment", "--abandon", "why", "--dry-run")
    assert (code, quick.inventory()) == (0, before), out
    assert "python -m rollback environment --abandon why" in out.replace(f"--target {quick.target} ", "")


def test_production_wants_its_name(quick, kill_after_line):
    left_unfinished(quick, kill_after_line, 4)
    quick.write_target(production=True)
    code, out = quick.run("environment", "--abandon", "why")
    assert (code, "--confirm tiny" in out) == (5, True), out
