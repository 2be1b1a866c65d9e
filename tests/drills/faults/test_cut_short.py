"""Whoever injects a fault may be killed in the middle of it: healing leaves nothing of it all the same."""

import os
import subprocess
import sys

import psutil
import pytest

from drills.faults import active
from target.wait import Seen, eventually
from tests.drills.faults.leaving import inventory

pytestmark = pytest.mark.drill


@pytest.mark.parametrize("name", ["cpu-starved", "clock-an-hour-off", "disk-full", "two-versions"])
def test_healing_leaves_nothing_of_what_was_cut_short(stack, request, name):
    if name == "disk-full" and os.geteuid() != 0:
        pytest.skip("only root can make it")
    stack.wait_service()
    before = inventory(stack)
    command = [sys.executable, "-m", "drills", "inject", name, "--dir", str(stack.layout.root)]
    with subprocess.Popen(command, cwd=request.config.rootpath, start_new_session=True) as injecting:
        begun = eventually(
            lambda: Seen([each.name for each in active.active(stack)] == [name], "not begun"),
            deadline_s=60,
            interval_s=0.01,
        )
        injecting.kill()
    assert begun.met
    assert active.heal(stack, name) == [name]
    stack.wait_service()
    stack.supervisor.wait_settled()
    assert inventory(stack) == before
    assert [
        each.mountpoint for each in psutil.disk_partitions(all=True) if below(each.mountpoint, stack)
    ] == []
    assert strangers(stack) == []


def below(path, stack):
    """Whether a path is in the folder of the stack."""
    return path.startswith(f"{stack.layout.root}/")


def strangers(stack):
    """Processes that run for a fault, or from what one has set aside."""
    found = []
    for process in psutil.process_iter():
        try:
            words, folder = process.cmdline(), process.cwd()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if (below(folder, stack) and "/saved/" in folder) or "drills.faults.starve" in words:
            found.append(words)
    return found
