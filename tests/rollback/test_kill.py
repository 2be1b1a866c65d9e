"""Killed by SIGKILL at every point, a run is brought to an end by the next one; what was done stays done."""

import json
import os
import signal
import subprocess

import pytest

from rollback.lock import Lock
from target.host import Host
from target.record import Records

pytestmark = pytest.mark.drill

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
BAD = "NAME=bad\nMODE=sick\nDB_PASSWORD=swordfish-two\nVERSION=2.3.1\n"
NEVER = GOOD.replace("MODE=ok", "MODE=exit")

# What a whole run writes; the tests below check that these are indeed all the lines there are.
FORWARD = 10  # begin, intent and done of four steps, end
FAILING = 12  # begin, three intents, two outcomes, failed, two undo intents and outcomes, end
UNDO = 6  # begin, intent and outcome of two steps, end


def killed(status):
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def is_old(place, env=BAD, name="bad"):
    place.wait_for(lambda: place.serves() == name)
    assert place.env.read_text() == env
    assert place.env.stat().st_mode & 0o777 == 0o640


def is_new(place):
    assert place.serves() == "good"
    assert place.env.read_text() == GOOD
    assert place.env.stat().st_mode & 0o777 == 0o640


def changes_nothing(place, *arguments, code):
    before = place.inventory()
    third, out = place.run("environment", *arguments)
    assert (third, place.inventory()) == (code, before), out
    assert not list(place.state.glob("lock*"))
    assert not list(place.folder.glob(".env.next.*"))


@pytest.mark.covers("environment", "apply", "kill", "undo", "second")
def test_every_line(quick, survives_kills):
    survives_kills(
        quick, ["environment"], reset=quick.reset, is_new=lambda: is_new(quick), is_old=lambda: is_old(quick)
    )


def test_what_the_way_back_has_begun_is_waited_for(quick, kill_after_line, tmp_path):
    """Its commands name the run that they undo; one that outlived the operator must end before anything goes on."""
    quick.run("environment")
    [undone] = [path.name.partition("-")[0] for path in (quick.state / "journals").iterdir()]
    assert killed(quick.run_and_kill(kill_after_line(2), "environment", "--undo"))
    ended = tmp_path / "ended"
    script = f'sleep 1 # {"so long that a list of processes would cut it off " * 9}\n: >"$1"'
    command = ["timeout", "-k", "5", "30", "sh", "-c", script, undone, str(ended)]
    with subprocess.Popen(command):
        code, out = quick.run("environment", "--resume")
        assert ended.exists(), out
    assert code == 0, out
    is_old(quick)


class TestEveryLine:
    def test_the_counts_are_right(self, quick):
        quick.run("environment")
        quick.run("environment", "--undo")
        quick.reset(previous=NEVER)
        done, undone = FORWARD, UNDO
        assert quick.run("environment")[0] == 1
        assert [len(lines) for lines in quick.journals()] == [FAILING]
        quick.reset()
        quick.run("environment")
        quick.run("environment", "--undo")
        assert [len(lines) for lines in quick.journals()] == [done, undone]

    @pytest.mark.parametrize("line", range(FORWARD + 1))
    def test_forward(self, quick, kill_after_line, line):
        assert killed(quick.run_and_kill(kill_after_line(line), "environment"))
        code, out = quick.run("environment")
        assert code == 0, out
        assert ("unfinished" in out) == (0 < line < FORWARD)
        is_new(quick)
        changes_nothing(quick, code=0)

    @pytest.mark.parametrize("line", range(1, FAILING))
    def test_while_it_fails(self, quick, kill_after_line, line):
        quick.reset(env=BAD.replace("sick", "ok"), previous=NEVER)
        assert killed(quick.run_and_kill(kill_after_line(line), "environment"))
        code, out = quick.run("environment", "--resume")
        assert code == 1, out
        is_old(quick, env=BAD.replace("sick", "ok"))
        changes_nothing(quick, "--resume", code=5)

    @pytest.mark.parametrize("line", range(1, UNDO))
    def test_while_it_is_undone(self, quick, kill_after_line, line):
        assert quick.run("environment")[0] == 0
        assert killed(quick.run_and_kill(kill_after_line(line), "environment", "--undo"))
        code, out = quick.run("environment", "--resume")
        assert code == 0, out
        is_old(quick)
        changes_nothing(quick, "--undo", code=5)

    @pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 3), (5, 1), (6, 2), (7, 3)])
    def test_during_the_resume_then_undone(self, quick, kill_after_line, first, second):
        assert killed(quick.run_and_kill(kill_after_line(first), "environment"))
        assert killed(quick.run_and_kill(kill_after_line(second), "environment"))
        code, out = quick.run("environment", "--undo")
        assert code == 0, out
        is_old(quick)
        changes_nothing(quick, "--undo", code=5)


def die_at(monkey_class, method, call, *, after):
    """Makes what a child calls, to be killed before or after the n-th call of a method."""

    def patch():
        real = getattr(monkey_class, method)
        count = 0

        def call_then_die(self, *words, **more):
            nonlocal count
            count += 1
            if count == call and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = real(self, *words, **more)
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        setattr(monkey_class, method, call_then_die)

    return patch


@pytest.mark.parametrize(
    ("where", "method", "call", "after"),
    [
        (Records, "keyed_hash", 1, False),
        (Host, "copy_beside", 1, True),
        (Host, "copy_beside", 2, True),
        (Host, "rename", 1, False),
        (Host, "rename", 1, True),
        (Lock, "_clear", 1, True),
    ],
)
def test_inside_a_step_on_the_real_host(place, where, method, call, after):
    assert killed(place.run_and_kill(die_at(where, method, call, after=after), "environment"))
    code, out = place.run("environment")
    assert code == 0, out
    is_new(place)
    if method != "_clear":
        changes_nothing(place, code=0)


def test_while_the_service_is_being_restarted(place):
    """The restart outlives who sent it: the resumed run waits for it, and does not restart on top of it."""
    from target.supervisor import SupervisedService

    def patch():
        def restart(self):
            os.kill(os.getpid(), signal.SIGALRM)
            self._change("restart")

        def die_soon(*_):
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))

        signal.signal(signal.SIGALRM, die_soon)
        SupervisedService.restart = restart

    assert killed(place.run_and_kill(patch, "environment"))
    code, out = place.run("environment")
    assert code == 0, out
    is_new(place)


def test_between_the_lock_and_its_owner(place):
    """Nobody knows whose it was: refused in words that say what to type, and that is all it takes."""
    assert killed(place.run_and_kill(die_at(Host, "claim", 1, after=True), "environment"))
    before = place.inventory()
    code, out = place.run("environment")
    assert (code, place.inventory()) == (5, before)
    assert "owner unknown" in out
    assert "--break-lock" in out
    assert place.run("environment", "--break-lock")[0] == 0
    is_new(place)


def test_a_torn_last_line_is_told_and_survived(place, kill_after_line):
    assert killed(place.run_and_kill(kill_after_line(4), "environment"))
    journal = next((place.state / "journals").iterdir())
    whole = journal.read_text()
    journal.write_text(whole + '{"event":"don')
    code, out = place.run("environment")
    assert code == 0, out
    assert "cut short by the crash" in " ".join(out.split())
    is_new(place)
    lines = journal.read_text().splitlines()
    assert sum(1 for line in lines if line == '{"event":"don') == 1
    assert json.loads(lines[-1])["outcome"] == "done"


def test_who_wrote_the_file_meanwhile_is_not_overruled(quick, kill_after_line):
    assert killed(quick.run_and_kill(kill_after_line(4), "environment"))
    quick.env.write_text("NAME=by-hand\nMODE=ok\n")
    before = quick.inventory()
    code, out = quick.run("environment")
    assert (code, quick.inventory()) == (5, before)
    assert "neither the old nor the new file" in " ".join(out.split())
    assert quick.run("environment", "--undo")[0] == 0
    assert quick.env.read_text() == BAD
    assert "by-hand" in next(quick.folder.glob(".env.undone.*")).read_text()
