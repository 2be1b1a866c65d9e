"""Drills are shared out among stacks, told of by name, and never passed where a stack was lost."""

import json
import re
import signal
import subprocess
import sys

import msgspec
import pytest

from drills import run as running
from drills import side_by_side, workers
from drills.faults.fault import Fault
from drills.plan import apart
from drills.run import Choice
from drills.side_by_side import SideBySide
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout
from drills.stacks.processes.take_down import leftovers
from drills.venue import OWN

CHOICE = Choice(
    stack="processes",
    family=None,
    names=(),
    every=False,
    each_family=False,
    folder=None,
    json=True,
    ssh=False,
    jobs=2,
)


def fault(name, **more):
    return Fault(name=name, says="", part="", must=("service_ready",), **more)


@pytest.fixture(autouse=True)
def fake_workers(tmp_path, monkeypatch):
    """Workers that have no stacks, in a folder of the test's own."""
    monkeypatch.setattr(side_by_side, "WORKER", "tests.drills.fake_worker")
    monkeypatch.setattr(side_by_side, "OWN", tmp_path)


@pytest.fixture
def drill():
    """Drill faults of these names (or these faults), two at a time; what came of each, and what was said."""

    def drill(*given, kind="processes", jobs=2):
        drilled, said = [], []
        faults = [each if isinstance(each, Fault) else fault(each) for each in given]
        try:
            SideBySide(faults, kind, drilled, jobs, said.append, ssh=False).drill()
        except StackError as error:
            return drilled, said, str(error)
        return drilled, said, ""

    return drill


def verdicts(drilled):
    return {each.fault: each.verdict for each in drilled}


def test_every_fault_is_drilled_once_and_each_line_says_of_which(drill):
    names = ("one", "two", "silent", "four", "five")
    drilled, said, why = drill(*names)
    assert (verdicts(drilled), why) == (dict.fromkeys(names, "passed") | {"silent": "failed"}, "")
    assert all(re.match(r"(stack [12]|one|two|silent|four|five|\[\d/5\] \w+): ", line) for line in said), said
    assert sum(line.startswith("[") for line in said) == 5
    assert {each.folder for each in drilled} <= {"stack-1", "stack-2"}


def test_a_worker_that_dies_makes_its_drill_inconclusive_and_another_takes_its_place(drill):
    drilled, said, why = drill("one", "kills", "three", jobs=1)
    assert (verdicts(drilled), why) == (
        {"one": "passed", "kills": "inconclusive", "three": "passed"},
        "",
    )
    lost = next(each for each in drilled if each.fault == "kills")
    assert lost.why == ("not drilled: its stack was lost: it said nothing",)
    assert "stack 1 cannot be used any more: it said nothing" in said


def test_a_stack_that_is_given_up_before_the_drill_is_replaced(drill):
    drilled, _, why = drill("gives-up", "two", jobs=1)
    assert verdicts(drilled) == {}
    assert why == "stack 1 cannot be used any more: StackError: the stack is not as it was"
    drilled, _, why = drill("one", "two", "gives-up", "four", jobs=2)
    assert set(verdicts(drilled).values()) == {"passed"}


def test_where_no_stack_comes_up_the_reason_is_told(drill):
    drilled, _, why = drill("one", "two", kind="never-up")
    assert drilled == []
    assert re.fullmatch("stack [12] cannot be used any more: StackError: postgres: did not start", why)


def test_what_a_neighbour_would_disturb_comes_last_with_nothing_beside_it(drill):
    by_the_clock, slow = fault("by-the-clock", alone=True), fault("slow", alone=True)
    drilled, said, _ = drill(by_the_clock, "one", slow, "two", "three")
    assert [each.fault for each in drilled[3:]] == ["by-the-clock", "slow"]
    assert [each.folder for each in drilled[3:]] == ["stack-3", "stack-3"]
    begun = [line for line in said if "begun" in line or line.startswith("[")]
    assert [line.partition(":")[0] for line in begun[-4:]] == [
        "by-the-clock",
        "[4/5] by-the-clock",
        "slow",
        "[5/5] slow",
    ]


def test_one_after_another_nothing_is_set_apart():
    faults = [fault("one", alone=True), fault("two")]
    assert apart(faults, 1) == (["one", "two"], [])
    assert apart(faults, 2) == (["two"], ["one"])


def test_a_worker_that_says_nothing_is_ended(drill, monkeypatch):
    monkeypatch.setattr(SideBySide, "silent_s", 3.0)
    monkeypatch.setattr(workers, "_LOOK_S", 0.1)
    drilled, said, _ = drill("waits", "two", jobs=1)
    assert verdicts(drilled)["waits"] == "inconclusive"
    assert any("says nothing for 3 s" in line for line in said)


@pytest.fixture
def run(monkeypatch, capsys):
    """`drills run --json` of these faults: its exit code, and what it tells."""
    monkeypatch.setattr(running.Venue, "sweep", lambda self: None)

    def run(*names, **more):
        monkeypatch.setattr(running, "chosen", lambda *_, **__: [fault(name) for name in names])
        code = running.run(msgspec.structs.replace(CHOICE, names=names, **more), (KeyboardInterrupt,))
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("one", "two", "three"), 0),
        (("one", "silent", "kills", "three"), 1),
        (("one", "kills", "three"), 6),
    ],
)
def test_the_table_is_in_the_order_of_the_catalogue_and_the_exit_code_that_of_the_worst(run, names, code):
    ended, told = run(*names)
    assert (ended, told["exit_code"]) == (code, code)
    assert [each["fault"] for each in told["drills"]] == list(names)


def test_what_no_stack_was_left_for_is_named_and_nothing_passes(run, monkeypatch):
    monkeypatch.setattr(workers, "_STACKS_AGAIN", 0)
    ended, told = run("kills-1", "kills-2", "kills-3", "kills-4")
    assert (ended, told["exit_code"]) == (6, 6)
    assert {each["verdict"] for each in told["drills"]} == {"inconclusive"}
    why, _, names = told["notes"][0].partition("; not drilled: ")
    assert re.fullmatch("stack [12] cannot be used any more: it said nothing", why)
    assert len(told["drills"]) + len(names.split(", ")) == 4


def test_a_stack_that_runs_already_cannot_be_many(run, tmp_path):
    with pytest.raises(StackError, match="--jobs 2 brings up a stack for each; leave --dir out"):
        run("one", folder=tmp_path)


def left(number):
    return leftovers(Layout(OWN / "processes-jobs" / f"stack-{number}"))


@pytest.mark.drill
def test_drills_go_on_side_by_side_until_ctrl_c_ends_them_and_their_stacks():
    faults = ("metrics-gone", "database-password-wrong", "silence")
    words = ["run", "--stack", "processes", "--jobs", "2", "--json", *faults]
    process = subprocess.Popen(
        [sys.executable, "-m", "drills", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        progress = []
        for line in process.stderr:
            progress.append(line)
            if line.startswith("[1/3] "):
                break
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=180)
    finally:
        process.kill()
    assert (process.returncode, rest.splitlines()[-1]) == (130, "drills run: interrupted"), rest
    landed = [line.partition(":")[0] for line in progress if ": fault landed: " in line]
    assert sorted(landed)[:2] == sorted(faults[:2]), "both were at work before the first had ended"
    told = json.loads(out)
    (done,) = [each["fault"] for each in told["drills"]]
    assert told["drills"][0]["verdict"] == "passed", told["drills"][0]["why"]
    others = ", ".join(name for name in faults if name != done)
    assert told["notes"][0] == f"interrupted; not drilled: {others}"
    assert (left(1), left(2)) == ([], [])
