"""Nearly the right target: another host's service behind the address, a clock that was set, an operator beside one."""

import datetime
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from rollback.lock import Lock, Owner
from target.host import Host
from tests.rollback.place import BAD, GOOD
from tests.rollback.quick import QuickHost, QuickService

ROOT = Path(__file__).parents[2]


def words(text):
    return " ".join(text.split())


def at(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


def refused(place, *arguments):
    before = place.inventory()
    code, out = place.run(*arguments)
    assert (code, place.inventory()) == (5, before), out
    return words(out)


class TestAnotherHost:
    """The address is answered by a process that the service control of the host does not know."""

    def test_one_that_was_there_before_is_refused_with_both_times(self, quick):
        quick.reset(env=f"{BAD}STARTED={at(time.time() - 3600)}\n")
        said = refused(quick, "environment")
        assert "is that the service of this host?" in said
        assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)) == 2
        assert "nothing was changed" in said

    def test_one_while_the_service_is_stopped_is_refused(self, quick):
        quick.reset(env=f"{BAD}STARTED={at(time.time() - 3600)}\n")
        (quick.folder / "voice.pid").rename(quick.folder / "voice.pid.kept")
        try:
            assert "is stopped" in refused(quick, "environment")
        finally:
            (quick.folder / "voice.pid.kept").rename(quick.folder / "voice.pid")

    def test_one_that_is_still_there_after_the_restart_is_undone(self, quick):
        previous = f"{GOOD}STARTED={at(time.time() - 3600)}\n"
        quick.reset(env=BAD.replace("sick", "ok"), previous=previous)
        before = quick.env.read_text()
        code, out = quick.run("environment")
        assert code == 1, out
        assert "it is not the process that was restarted" in words(out)
        assert quick.env.read_text() == before

    def test_what_tells_no_time_stops_nothing(self, quick):
        quick.reset(env=f"{BAD}STARTED=not a time\n")
        assert quick.run("environment")[0] == 0

    def test_behind_several_hosts_it_proves_nothing(self, quick):
        quick.reset(env=f"{BAD}STARTED={at(time.time() - 3600)}\n")
        quick.write_target(hosts=["local://", "local://?sudo=false"])
        code, out = quick.run("environment", "--dry-run")
        assert code == 0, out


class TestClock:
    """The host's clock is set between two steps: what runs is told from what ran before all the same."""

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_set_in_the_middle(self, quick, monkeypatch, hours):
        shift = [0.0]
        now, status = QuickHost.now, QuickService.status

        def shifted(service):
            found = status(service)
            if found.started_at is None:
                return found
            return type(found)(found.state, found.pid, found.started_at + shift[0], None, found.detail)

        def set_clock(self):
            found = verify(self)
            shift[0] = hours * 3600.0
            return found

        from rollback.actions.environment.envfile import Switch

        verify = Switch.verify
        monkeypatch.setattr(QuickHost, "now", lambda host: now(host) + shift[0])
        monkeypatch.setattr(QuickService, "status", shifted)
        monkeypatch.setattr(Switch, "verify", set_clock)
        code, out = quick.run("environment")
        if hours > 0:
            assert code == 0, out
            assert quick.serves() == "good"
        else:
            assert code == 1, out
            quick.wait_for(lambda: quick.serves() == "bad")
            assert quick.env.read_text() == BAD

    def test_put_forward_before_a_resume_does_not_pass_the_old_process_off_as_new(
        self, quick, kill_after_line, monkeypatch
    ):
        quick.run_and_kill(kill_after_line(6), "environment")
        assert quick.env.read_text() == GOOD
        assert quick.serves() == "bad"
        status = QuickService.status

        def shifted(service):
            found = status(service)
            return type(found)(found.state, found.pid, (found.started_at or 0) + 3600, None, found.detail)

        monkeypatch.setattr(QuickService, "status", shifted)
        code, out = quick.run("environment", "--resume")
        assert code == 0, out
        assert quick.serves() == "good"


@pytest.mark.drill
def test_of_two_operators_exactly_one_wins_and_the_other_is_told(place):
    """Two real processes at once; the winner is held up by a service that never gets ready."""
    place.reset(env=BAD.replace("sick", "ok"), previous=GOOD.replace("MODE=ok", "MODE=never"))
    place.write_target(service={"ready_s": 8})
    command = [sys.executable, "-m", "rollback", "--target", str(place.target), "environment"]
    environ = {**os.environ, "COLUMNS": "110"}
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    said = {}
    for process in both:
        out, _ = process.communicate(timeout=60)
        said[process.returncode] = words(out.decode())
    assert sorted(said) == [1, 5], said
    assert re.search(r"is held by \S+@\S+ since \d{4}-\d\d-\d\d \d\d:\d\d UTC", said[5]), said[5]
    assert f"environment: {place.previous} to {place.env}" in said[5]
    assert len(place.journals()) == 1
    assert not list(place.state.glob("lock*"))


def test_a_lock_that_is_just_being_taken_gets_its_owners_name(place):
    """The folder is there a moment before the name in it: who looks then waits for the name."""
    lock = Lock(Host("local://"), str(place.state))
    (place.state / "lock").mkdir(parents=True)
    owner = Owner(
        owner="other@laptop", machine="laptop", pid=1, pid_start="", host="root@here", message="git: x", since=0.0,
        token="t",
    )  # fmt: skip
    naming = threading.Timer(
        0.2, (place.state / "lock" / "owner.json").write_bytes, [msgspec.json.encode(owner)]
    )
    naming.start()
    held = lock.look()
    naming.join()
    assert held is not None
    assert held.owner == owner
