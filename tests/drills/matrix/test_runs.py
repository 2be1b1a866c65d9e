"""A matrix taken from real stacks: killed in the middle, gone on with, and nothing of it left running."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from drills.matrix import row
from drills.matrix.workplace import noted
from drills.stacks.layout import MARK
from target.wait import Seen, eventually

FAULTS = ("metrics-gone", "database-password-wrong")


def start(folder, *words):
    command = [sys.executable, "-m", "drills", "matrix", "--dir", str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def running(folder):
    """What runs for the stacks in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
        except psutil.Error:
            continue
        found += [process.pid] if mark.startswith(f"{folder}/") else []
    return found


def ends(folder):
    return eventually(lambda: Seen(not running(folder), f"{running(folder)} run"), deadline_s=60).met


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no-such-fault",), "there is no fault 'no-such-fault'"),
        (("--family", "no-such-family"), "there is no family 'no-such-family'"),
        (("metrics-gone", "--family", "storage"), "none of these faults can be made"),
        (("--jobs", "none"), "--jobs"),
    ],
)
def test_what_cannot_be_taken_is_one_clear_line(tmp_path, words, told):
    ran = start(tmp_path / "work", *words)
    said, _ = ran.communicate(timeout=30)
    assert (ran.returncode, told in said) == (4, True), said
    assert not (tmp_path / "work").exists()


@pytest.mark.drill
def test_killed_resumed_interrupted_and_nothing_is_left(tmp_path):
    killed = start(tmp_path, *FAULTS)
    try:
        line = next(line for line in killed.stdout if line.startswith("[1/2]"))
        killed.send_signal(signal.SIGKILL)
        assert "metrics-gone" in line
    finally:
        killed.kill()
        killed.communicate(timeout=30)
    assert ends(tmp_path)
    (first,) = noted(tmp_path / "rows.jsonl", row.Row)

    resumed = start(tmp_path, *FAULTS, "--resume")
    said, _ = resumed.communicate(timeout=300)
    assert resumed.returncode in (0, 1), said
    assert "1 rows are there already, 1 to go" in said
    assert ends(tmp_path)
    made = row.read(tmp_path / "matrix.json")
    taken = {each.fault: each for each in made.rows}
    assert taken["metrics-gone"].taken_at == first.taken_at
    assert next(iter(taken["metrics-gone"].failed)) == "metrics_exposed"
    assert "components_healthy" in taken["database-password-wrong"].failed
    assert not any(each.trouble for each in made.rows), said
    assert [each.failed for each in made.rows if each.fault == row.HEALTHY] == [{}, {}]
    assert "database-password-wrong" in (tmp_path / "matrix.html").read_text("utf-8")
    assert str(tmp_path) not in (tmp_path / "matrix.json").read_text("utf-8")
    assert [path for path in tmp_path.glob("stack-*") if path.name.endswith("1")] == []

    mutated = start(tmp_path, FAULTS[0], "--mutate")
    said, _ = mutated.communicate(timeout=300)
    assert mutated.returncode == 0, said
    assert "ALL NOTICED" in said
    assert running(tmp_path) == []

    ended = start(tmp_path, FAULTS[0])
    try:
        seen = eventually(lambda: Seen(bool(running(tmp_path)), "no stack yet"), deadline_s=60)
        assert seen.met
        os.kill(ended.pid, signal.SIGINT)
        said, _ = ended.communicate(timeout=120)
    finally:
        ended.kill()
    assert ended.returncode == 130, said
    assert "Traceback" not in said
    assert running(tmp_path) == []
