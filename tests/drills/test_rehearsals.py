"""Whole drills on a stack of their own, as a person starts them, and one whose runner is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from drills.faults import active
from drills.operator import REPOSITORY
from target.wait import Seen, eventually

pytestmark = pytest.mark.drill
_LIMIT_S = 300


def command(stack, *words):
    return [sys.executable, "-m", "drills", "run", "--dir", str(stack.layout.root), "--json", *words]


def run(stack, *words):
    done = subprocess.run(
        command(stack, *words), cwd=REPOSITORY, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def works_on(stack):
    """Processes of a drill on that stack: its traffic, and the commands that it types."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline())
            target = str(stack.layout.target_file)
            if target in told or ("locustfile" in told and stack.url in str(process.environ())):
                found.append(process)
        except psutil.Error:
            continue
    return found


def await_new(before, what):
    """The folder of the drill that was begun since, once its timeline has a line that begins so."""
    found = []

    def look():
        timelines = (REPOSITORY / "runs" / "drills").glob("*/timeline.jsonl")
        new = [path for path in timelines if path.parent.name not in before]
        found.extend(path.parent for path in new if f'"what":"{what}' in path.read_text("utf-8"))
        return Seen(bool(found), f"no line {what!r}")

    waited = eventually(look, deadline_s=150)
    assert waited.met, waited.seen
    return found[0]


def test_after_a_runner_that_was_killed_in_the_rollback_the_next_is_a_whole_drill(operator):
    stack = operator.stack
    before = {path.name for path in (REPOSITORY / "runs" / "drills").glob("*")}
    with subprocess.Popen(
        command(stack, "environment"), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        folder = await_new(before, "$ rollback environment")
        os.kill(process.pid, signal.SIGKILL)
    assert active.active(stack), "it left the stack broken"
    _, alive = psutil.wait_procs(works_on(stack), timeout=60)
    assert alive == [], "its traffic and its commands went with it"
    assert not (folder / "drill.json").exists()
    done = run(stack, "environment")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "healed database-password-wrong" in done.stderr
    drill = json.loads(done.stdout)["drills"][0]
    assert (drill["verdict"], drill["cure"], drill["why"]) == ("passed", "environment", [])
    assert drill["lost"]["acknowledged"] > 10
    assert drill["lost"]["rows"] == drill["lost"]["objects"] == []
    folder = Path(drill["folder"])
    kept = {path.name for path in folder.iterdir()}
    assert {"drill.json", "timeline.jsonl", "ledger.jsonl", "journal.jsonl", "verdict.json", "log"} <= kept
    operator.printed += done.stdout + done.stderr
    for path in folder.rglob("*"):
        operator.printed += path.read_text("utf-8") if path.is_file() else ""
    operator.saw_no_secret()
    assert active.active(stack) == []
    assert works_on(stack) == []


def test_a_drill_that_is_interrupted_heals_and_says_what_it_did_not_do(operator):
    stack = operator.stack
    before = {path.name for path in (REPOSITORY / "runs" / "drills").glob("*")}
    with subprocess.Popen(
        command(stack, "environment", "silence"),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        await_new(before, "fault landed")
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, out + errors
    assert "not drilled: database-password-wrong, silence" in json.loads(out)["notes"][0]
    assert active.active(stack) == []
    assert works_on(stack) == []
    assert operator.judges().code == 0
