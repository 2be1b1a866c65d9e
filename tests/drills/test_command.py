"""`python -m drills` as a person types it."""

import shlex
import subprocess
import sys

import pytest

from drills.stacks.layout import Layout
from drills.stacks.processes.take_down import leftovers
from drills.stacks.stack import PARTS

pytestmark = pytest.mark.drill


def drills(*words, limit_s=30):
    command = [sys.executable, "-m", "drills", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)


@pytest.mark.parametrize("words", [("status",), ("down",), ("heal",), ("inject", "silence")])
def test_a_folder_without_a_stack_is_one_clear_line(tmp_path, words):
    ran = drills(*words, "--dir", tmp_path)
    assert ran.returncode == 4
    assert ran.stderr.count("\n") == 1
    assert "is not a stack" in ran.stderr
    assert f"python -m drills up --dir {tmp_path}" in ran.stderr


def test_up_in_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    ran = drills("up", "--dir", tmp_path)
    assert (ran.returncode, "not empty and not a stack's" in ran.stderr) == (4, True)


def test_up_in_a_folder_that_the_tools_cannot_take_is_refused(tmp_path):
    ran = drills("up", "--dir", tmp_path / "100%")
    assert (ran.returncode, "percent sign" in ran.stderr) == (4, True)
    assert list(tmp_path.iterdir()) == []


def test_up_where_nothing_can_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    ran = drills("up", "--dir", tmp_path / "file" / "below")
    assert ran.returncode == 4
    assert ran.stderr.count("\n") == 1


def test_the_list_has_a_line_for_each_fault():
    lines = drills("faults").stdout.splitlines()
    assert len(lines) > 20
    storage = next(number for number, line in enumerate(lines) if line.startswith("storage "))
    assert any(line.startswith("  bucket-missing ") for line in lines[storage + 1 :])
    assert all(len(line) < 160 for line in lines), "it is read on a terminal"


@pytest.mark.drill
def test_up_status_inject_heal_down(tmp_path):
    folder = tmp_path / "a folder's name with spaces"
    up = drills("up", "--dir", folder, "--latency", "0.01", limit_s=180)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        assert "healthy" in up.stdout
        assert f"pytest -m post_rollback --target {shlex.quote(f'{folder}/target.yaml')}" in up.stdout
        assert "it runs already" in drills("up", "--dir", folder).stdout

        assert "did you mean metrics-gone" in drills("inject", "metrics-gon", "--dir", folder).stderr
        assert "404" in drills("inject", "metrics-gone", "--dir", folder).stdout
        status = drills("status", "--dir", folder).stdout
        assert "faults: metrics-gone" in status
        assert status.count("RUNNING") == len(PARTS)
        assert drills("heal", "--dir", folder).stdout == "healed metrics-gone\n"
        assert drills("heal", "--dir", folder).stdout == "nothing to heal\n"
    finally:
        down = drills("down", "--dir", folder, limit_s=90)
    assert down.returncode == 0
    assert leftovers(Layout(folder)) == []
    assert drills("status", "--dir", folder).returncode == 1
    assert "did not run" in drills("down", "--dir", folder).stdout
