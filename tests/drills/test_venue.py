"""A run's own stack: one run at a time, and swept when the run was killed."""

import subprocess
import sys
from typing import ClassVar

import pytest

from drills import venue as venues
from drills.stacks.errors import StackError
from drills.venue import Venue, lock_of, sweep

_HOLDS = """
import sys, time
from pathlib import Path
from drills.stacks.errors import StackError
from drills.stacks.lock import held
from drills.venue import lock_of
with held(lock_of(Path(sys.argv[1])), StackError("busy")):
    print("held", flush=True)
    time.sleep(60)
"""


class FakeStack:
    """A stack that runs until it is taken down."""

    kind = "processes"
    up: ClassVar[set[str]] = set()

    def __init__(self, folder):
        self.folder = str(folder)

    def running(self):
        return self.folder in self.up

    def take_down(self):
        self.up.remove(self.folder)

    def close(self):
        pass


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of the runs' own stacks, where `up` and `down` are only noted."""
    folder = tmp_path / ".drills"
    monkeypatch.setattr(venues, "OWN", folder)
    monkeypatch.setattr(venues.kinds, "sweep", list)
    monkeypatch.setattr(venues.Stack, "at", FakeStack)
    monkeypatch.setattr(FakeStack, "up", set())

    def drills(self, verb, limit_s, *more):
        del limit_s, more
        self.typed = [*getattr(self, "typed", []), verb]
        if verb == "up":
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "stack.json").touch()
            FakeStack.up.add(str(self.folder))
        else:
            FakeStack.up.discard(str(self.folder))

    monkeypatch.setattr(Venue, "_drills", drills)
    return folder


def venue():
    return Venue("processes", None, lambda line: None)


def test_a_second_run_is_refused_and_leaves_the_stack_of_the_first_alone(own):
    with venue() as first:
        first.open()
        with (
            pytest.raises(StackError, match=f"another run has its stack in {own}/processes"),
            venue() as second,
        ):
            second.open()
        assert not hasattr(second, "typed")
        assert FakeStack.up == {f"{own}/processes"}
    assert first.typed == ["up", "down"]
    with venue() as third:
        third.open()


def test_what_a_killed_run_left_is_swept_and_nothing_of_one_that_is_alive(own):
    with venue() as alive:
        alive.open()
        assert sweep() == []
        assert FakeStack.up == {f"{own}/processes"}
    left = own / "containers"
    left.mkdir()
    (left / "stack.json").touch()
    by_hand = own / "by-hand"
    by_hand.mkdir()
    (by_hand / "stack.json").touch()
    lock_of(left).touch()  # a run had it, and fell
    FakeStack.up.update({str(left), str(by_hand)})
    assert sweep() == [f"the stack of processes in {left}, whose run was killed"]
    assert FakeStack.up == {str(by_hand)}
    assert sweep() == []


def test_the_lock_falls_free_with_its_run(own):
    own.mkdir()
    runner = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(own / "processes")], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == "held\n"
    with pytest.raises(StackError, match="another run"), venue() as second:
        second.open()
    runner.kill()
    runner.communicate(timeout=20)
    with venue() as third:
        third.open()
