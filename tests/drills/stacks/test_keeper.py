"""The keeper of a stack is known by its pid as soon as it was started, and no look at its lock keeps it from it."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drills.stacks.layout import Layout
from drills.stacks.processes import keeper
from drills.stacks.processes.stack import keeper_pid
from target.wait import Seen, eventually


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path)
    layout.run.mkdir()
    layout.settled.touch()
    yield layout
    if pid := keeper_pid(layout):
        os.kill(pid, signal.SIGTERM)
        assert eventually(lambda: Seen(keeper_pid(layout) is None, "it runs"), deadline_s=10).met


def started(layout):
    command = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(layout.run), "1", "--"]
    kept = [sys.executable, "-c", "import signal; signal.pause()"]
    return subprocess.run([*command, *kept], timeout=20, check=False, stdout=subprocess.DEVNULL).returncode


def test_its_pid_is_there_when_the_start_returns(layout):
    assert started(layout) == 0
    assert int(layout.alive.read_text()) == keeper_pid(layout)


def test_a_look_at_the_lock_is_waited_for(layout):
    with layout.alive.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.3, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        assert started(layout) == 0


def test_two_that_look_do_not_take_each_other_for_it(layout):
    with layout.alive.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert keeper_pid(layout) is None


def test_a_second_keeper_gives_way(layout):
    assert started(layout) == 0
    first = keeper_pid(layout)
    assert started(layout) == os.EX_TEMPFAIL
    assert keeper_pid(layout) == first
