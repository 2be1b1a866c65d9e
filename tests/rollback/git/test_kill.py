"""Killed by SIGKILL anywhere, inside a command of git too: the next run ends in the old or the new state."""

import os
import shutil
import signal
import sys

import pytest

from tests.rollback.git.repository import git, write

pytestmark = pytest.mark.drill

# A git that kills who runs the action, and the shell that called it, at the n-th call of a subcommand: before it does
# anything, after it, or half-way, as a checkout that was cut short leaves files.
KILLER = """#!{python} -IS
import os, pathlib, signal, subprocess, sys
folder, subcommand, call, when, package = {folder!r}, {subcommand!r}, {call!r}, {when!r}, "app/services/voice_v2"
words = sys.argv[1:]
at = 0
while words[at] in ("-c", "-C"):
    at += 2
operator, calls = pathlib.Path(folder, "operator"), pathlib.Path(folder, "calls")
hit = False
if operator.exists() and words[at] == subcommand:
    count = int(calls.read_text()) + 1 if calls.exists() else 1
    calls.write_text(str(count))
    hit = count == call
if not hit:
    os.execv({git!r}, ["git", *words])
if when == "after":
    subprocess.run([{git!r}, *words])
if when == "half-way":
    os.unlink("VERSION")
    pathlib.Path(package, "core.py").unlink()
    pathlib.Path(package, "core.py").write_text("LIM")
    blob = words[-1] + ":" + package + "/__init__.py"
    text = subprocess.run([{git!r}, "cat-file", "blob", blob], capture_output=True).stdout
    pathlib.Path(package, "__init__.py").unlink()
    pathlib.Path(package, "__init__.py").write_bytes(text)
    pathlib.Path(os.environ["GIT_INDEX_FILE"] + ".lock").touch()
    pathlib.Path(".git/index.lock").touch()
    pathlib.Path(".git/HEAD.lock").touch()
os.kill(int(operator.read_text()), signal.SIGKILL)
os.kill(os.getppid(), signal.SIGKILL)
"""

FORWARD = [
    (("add", 1, "after"), "go on"),
    (("write-tree", 2, "before"), "go back"),
    (("commit-tree", 2, "after"), "go on"),
    (("update-ref", 1, "before"), "go back"),
    (("update-ref", 1, "after"), "go on"),
    (("read-tree", 1, "before"), "go back"),
    (("read-tree", 1, "half-way"), "go on"),
    (("read-tree", 1, "half-way"), "go back"),
    (("read-tree", 1, "after"), "go back"),
    (("update-ref", 2, "after"), "go on"),
    (("symbolic-ref", 2, "before"), "go back"),
    (("symbolic-ref", 2, "after"), "go on"),
]
BACK = [
    ("read-tree", 1, "half-way"),
    ("read-tree", 1, "after"),
    ("symbolic-ref", 2, "after"),
    ("symbolic-ref", 3, "after"),
    ("update-ref", 1, "after"),
]


@pytest.fixture
def kill_at(fresh, monkeypatch, tmp_path):
    """Runs the command line with a git that kills it."""
    real = shutil.which("git")

    def run(subcommand, call, when, *arguments):
        text = KILLER.format(
            python=sys.executable, folder=str(tmp_path), subcommand=subcommand, call=call, when=when, git=real
        )
        write(tmp_path, "bin/git", text, 0o755)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
            status = fresh.place.run_and_kill(
                lambda: (tmp_path / "operator").write_text(str(os.getpid())) and None, "git", *arguments
            )
        for name in ("operator", "calls"):
            (tmp_path / name).unlink()
        assert os.WIFSIGNALED(status), f"not killed {when} {subcommand} {call}"
        assert os.WTERMSIG(status) == signal.SIGKILL

    return run


@pytest.mark.covers("git", "kill")
def test_killed_after_every_line(fresh, survives_kills):
    before = []

    def reset():
        fresh.reset(dirty=True)
        before[:] = [fresh.state()]

    def is_old():
        assert fresh.state() == before[0]

    survives_kills(fresh.place, ["git"], reset=reset, is_new=fresh.is_good, is_old=is_old)


@pytest.mark.parametrize(
    ("where", "then"),
    FORWARD,
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_killed_inside_a_step(fresh, kill_at, where, then):
    fresh.reset(dirty=True)
    before = fresh.state()
    kill_at(*where)
    if then == "go on":
        status, out = fresh.place.run("git")
        assert status == 0, out
        fresh.is_good()
    status, out = fresh.place.run("git", "--undo")
    assert status == 0, out
    assert fresh.state() == before
    assert not list((fresh.folder / ".git").glob("*.lock"))


@pytest.mark.parametrize("where", BACK, ids=lambda where: "-".join(map(str, where)))
def test_killed_inside_the_way_back(fresh, kill_at, where):
    fresh.reset(dirty=True)
    before = fresh.state()
    assert fresh.place.run("git")[0] == 0
    kill_at(*where, "--undo")
    status, out = fresh.place.run("git", "--resume")
    assert status == 0, out
    assert fresh.state() == before


def test_what_a_run_that_was_cut_short_left_is_kept(fresh, kill_at):
    fresh.reset(dirty=True)
    kill_at("read-tree", 1, "half-way")
    write(fresh.folder, "by-hand.txt", "meanwhile\n")
    assert fresh.place.run("git")[0] == 0
    fresh.is_good()
    (found,) = git(fresh.folder, "for-each-ref", "--format=%(refname)", "refs/rollback/*/found").splitlines()
    assert git(fresh.folder, "show", f"{found}:by-hand.txt") == "meanwhile"
