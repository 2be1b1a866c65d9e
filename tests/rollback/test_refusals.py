"""Bad surroundings: refused in one clear line with nothing changed, or rolled back with the old state intact."""

import json
import os
import signal
import subprocess
import sys

import pytest

from rollback.lock import Lock
from target.host import Host

pytestmark = pytest.mark.drill

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
BAD = "NAME=bad\nMODE=sick\nDB_PASSWORD=swordfish-two\nVERSION=2.3.1\n"


def refused(place, *arguments, code=5):
    """The command is refused with nothing changed; what it said, on one line."""
    before = place.inventory()
    seen, out = place.run("environment", *arguments)
    assert (seen, place.inventory()) == (code, before), out
    assert place.serves() == "bad"
    assert "Traceback" not in out
    assert "swordfish" not in out
    return " ".join(out.split())


def missing(place):
    place.previous.unlink()


def empty(place):
    place.previous.write_text(" \n")


def a_folder(place):
    place.previous.unlink()
    place.previous.mkdir()


def lacking(place):
    place.previous.write_text(GOOD.replace("DB_PASSWORD=swordfish-one\n", ""))


def not_text(place):
    place.previous.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())


def equal(place):
    place.previous.write_text(BAD)


def test_carriage_returns_that_the_reader_takes_are_told(quick):
    quick.previous.write_bytes(GOOD.replace("\n", "\r\n").encode())
    code, out = quick.run("environment", "--dry-run")
    assert code == 0
    assert "lines end with CRLF" in " ".join(out.split())


@pytest.mark.covers("environment", "refused")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing, ".env.previous, the previous environment, is not there"),
        (empty, "is empty"),
        (a_folder, "is a directory, not a file"),
        (lacking, "lacks DB_PASSWORD, which the target requires"),
        (not_text, "cannot be used as python-dotenv reads it"),
        (equal, "is equal to the broken one"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_previous_file(quick, spoil, says):
    spoil(quick)
    out = refused(quick)
    assert says in out
    assert "--to FILE" in out


def test_an_unfinished_run_is_not_turned_to_another_file(quick, kill_after_line):
    quick.run_and_kill(kill_after_line(2), "environment")
    out = refused(quick, "--to", str(quick.folder / ".env.other"))
    assert "an unfinished run goes to" in out


def test_nothing_to_resume_and_nothing_to_undo(quick):
    assert "nothing to resume: no action has been run" in refused(quick, "--resume")
    assert "nothing to undo: no action has been run" in refused(quick, "--undo")


def test_resuming_what_was_done_is_no_refusal(quick):
    """As after a run whose last answer was lost: it told the person to resume."""
    quick.run("environment")
    before = quick.inventory()
    code, out = quick.run("environment", "--resume")
    assert (code, quick.inventory()) == (0, before), out
    assert "was finished" in out


def test_the_copy_of_before_is_gone(quick):
    quick.run("environment")
    for copy in quick.folder.glob(".env.failed.*"):
        copy.unlink()
    before = quick.inventory()
    code, out = quick.run("environment", "--undo")
    assert (code, quick.inventory()) == (5, before)
    assert "is missing or was changed" in " ".join(out.split())


def test_supervisor_gone(place):
    place.write_target(service={"supervisor": {"config": "/nowhere/supervisord.conf", "program": "voice"}})
    assert "the service could not be restarted, so nothing was changed" in refused(place)


def test_no_service_and_no_environment_in_the_target(quick):
    text = json.loads(quick.target.read_text())
    del text["environment"]
    quick.target.write_text(json.dumps(text))
    assert "no `environment`" in refused(quick, code=4)


def test_wrong_path_of_the_environment_file(quick):
    quick.write_target(
        environment={"file": str(quick.folder / "state.d" / ".env"), "previous": str(quick.previous)}
    )
    assert "cannot be written to" in refused(quick)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_full_disk(place, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False)
    assert mounted.returncode == 0
    try:
        file = disk / ".env"
        file.write_text(BAD)
        (disk / "rest").write_bytes(b"x" * 40_000)
        place.write_target(environment={"file": str(file), "previous": str(place.previous)})
        code, out = place.run("environment")
        assert code == 5
        assert "too little for copies" in " ".join(out.split())
        assert sorted(path.name for path in disk.iterdir()) == [".env", "rest"]
        assert file.read_text() == BAD
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_lock_that_no_name_could_be_written_to_is_let_go(place, monkeypatch):
    """With room again the same command does it."""
    from target.errors import HostError
    from target.host import Host

    written = Host.write_atomically

    def full(self, path, *args, **kwargs):
        if path.endswith("/lock/owner.json"):
            raise HostError(f"local://: cannot write {path!r}: No space left on device")
        return written(self, path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Host, "write_atomically", full)
        code, out = place.run("environment")
    assert code != 0
    assert "No space left on device" in out
    assert place.serves() == "bad"
    code, out = place.run("environment")
    assert code == 0, out


def test_disk_that_fills_up_meanwhile_is_undone(quick, monkeypatch):
    from target.errors import HostError

    def full(self, source, copy):
        raise HostError(f"local://: cannot copy {source!r} to {copy!r}: No space left on device")

    monkeypatch.setattr("rollback.site.Host.copy_beside", full)
    before = quick.inventory()[".env"]
    code, out = quick.run("environment")
    assert code == 1, out
    assert "No space left on device" in out
    assert quick.inventory()[".env"] == before
    assert quick.serves() == "bad"


def own(place, **changes):
    """Leave a lock there, as an owner does who dies."""
    lock = Lock(Host("local://"), str(place.state))
    path = place.state / "lock" / "owner.json"
    with lock.hold("environment: a to b", None, pytest.fail):
        owner = json.loads(path.read_text())
    path.parent.mkdir()
    path.write_text(json.dumps({**owner, **changes}))


def gone_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_operator_is_told_who_what_and_since_when(place):
    own(place)
    out = refused(place)
    assert f"its process {os.getpid()} still runs" in out
    assert "environment: a to b" in out
    assert "since 20" in out
    assert "still runs" in refused(place, "--break-lock"), "asked once is not enough while it runs"
    assert place.run("environment", "--break-lock", "--yes")[0] == 0


def test_somebody_elses_dead_lock_is_broken_on_request_only(place):
    own(place, owner="night-shift@here", pid=gone_process(), pid_start="1")
    out = refused(place)
    assert "held by night-shift@here" in out
    assert "is gone" in out
    assert "the same command with --break-lock" in out
    code, out = place.run("environment", "--break-lock")
    assert code == 0
    assert "lock broken on request" in out


def test_a_lock_from_another_machine_cannot_be_seen_to_be_dead(place):
    own(place, machine="elsewhere 1234")
    assert "cannot be seen from here" in refused(place)


def test_my_own_dead_lock_is_taken_over(place):
    own(place, pid=gone_process(), pid_start="1")
    code, out = place.run("environment")
    assert code == 0
    assert "taken over from an earlier run of yours" in " ".join(out.split())


def test_a_lock_that_is_broken_while_it_runs_stops_the_run(quick, monkeypatch):
    from rollback.onefile import SetAside

    real = SetAside.verify

    def verify(self):
        owner = quick.state / "lock" / "owner.json"
        owner.write_text(owner.read_text().replace('"token":"', '"token":"x')[:-9])
        return real(self)

    monkeypatch.setattr(SetAside, "verify", verify)
    code, out = quick.run("environment")
    assert code == 3, out
    assert "the lock was broken while this ran" in " ".join(out.split())
    assert quick.env.read_text() == BAD, "it stopped before its next change"


def test_production_is_named_by_the_person(quick):
    quick.write_target(production=True)
    assert "is production: say so with --confirm tiny" in refused(quick)
    assert "is not the name of this target" in refused(quick, "--confirm", "other")
    assert quick.run("environment", "--confirm", "tiny")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_between_steps(quick, monkeypatch, number):
    from rollback.actions.environment.envfile import Switch

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    real = Switch.apply

    def apply(self, course, /):
        os.kill(os.getpid(), number)
        real(self, course)

    monkeypatch.setattr(Switch, "apply", apply)
    try:
        code, out = quick.run("environment")
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    assert code == 2, out
    assert "--resume" in out
    assert "--undo" in out
    assert not list(quick.state.glob("lock*"))
    monkeypatch.undo()


def test_an_address_that_is_not_the_services_is_refused_before_anything_restarts(quick):
    quick.write_target(api={"url": "http://voice.invalid"})
    said = refused(quick, code=4)
    assert "does not resolve" in said
