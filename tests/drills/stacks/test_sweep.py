"""What sweeping ends of embedded stacks, and what it spares."""

import fcntl
import os
import subprocess

import psutil
import pytest

from drills.stacks.bringing_up import Lease
from drills.stacks.layout import MARK, Layout
from drills.stacks.processes import sweep


@pytest.fixture
def left(tmp_path, monkeypatch):
    """A process that names the folder as its stack's; sweeping looks at no other folder."""
    monkeypatch.setattr(sweep, "_marked", lambda: {tmp_path})
    with subprocess.Popen(["sleep", "60"], env={MARK: str(tmp_path), "PATH": os.environ["PATH"]}) as process:
        yield process
        process.kill()


def test_what_nobody_keeps_is_ended(left, tmp_path):
    assert sweep.sweep() == [f"process {left.pid} (sleep) of {tmp_path}"]
    assert not psutil.pid_exists(left.pid)
    assert sweep.sweep() == []


def test_what_a_keeper_keeps_is_spared(left, tmp_path):
    layout = Layout(tmp_path)
    layout.run.mkdir()
    with layout.alive.open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        alive.write("1\n")
        alive.flush()
        assert sweep.sweep() == []
    assert left.poll() is None


def test_what_is_being_made_is_spared(left, tmp_path):
    lease = Lease(Layout(tmp_path))
    try:
        assert sweep.sweep() == []
    finally:
        lease.release()
    assert left.poll() is None


def test_the_marks_of_this_machine_are_found(tmp_path):
    with subprocess.Popen(["sleep", "60"], env={MARK: str(tmp_path), "PATH": os.environ["PATH"]}) as process:
        try:
            assert tmp_path in sweep._marked()
        finally:
            process.kill()
