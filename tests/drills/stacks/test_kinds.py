"""Which kind of stack is meant, which lies in a folder, and what is said where it cannot be had."""

import gc
import os
import subprocess
import sys
import warnings

import msgspec
import pytest

from drills.stacks import kinds
from drills.stacks.containers.layout import Ports as ContainersPorts
from drills.stacks.containers.layout import StackFile as ContainersFile
from drills.stacks.containers.stack import ContainersStack
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout, choose_ports, new_secrets, write_private
from drills.stacks.processes.layout import Ports, StackFile
from drills.stacks.processes.stack import ProcessesStack
from drills.stacks.stack import Stack

NOWHERE = "unix:///nowhere/docker.sock"


def processes(folder):
    return StackFile(ports=choose_ports(Ports), secrets=new_secrets(), latency_s=None, storage="minio")


def containers(folder):
    return ContainersFile(ports=choose_ports(ContainersPorts), secrets=new_secrets(), latency_s=None, run="r")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(processes, ProcessesStack), (containers, ContainersStack)],
    ids=["processes", "containers"],
)
def test_the_folder_says_what_lies_in_it(tmp_path, make, kind):
    write_private(Layout(tmp_path).stack_file, msgspec.json.encode(make(tmp_path)))
    stack = Stack.at(tmp_path)
    assert type(stack) is kind
    assert not stack.running()
    stack.close()


def test_a_kind_of_another_time_is_one_clear_error(tmp_path):
    later = msgspec.structs.replace(containers(tmp_path), kind="virtual-machines")
    write_private(Layout(tmp_path).stack_file, msgspec.json.encode(later))
    with pytest.raises(StackError, match="virtual-machines"):
        Stack.at(tmp_path)


def test_auto_takes_processes_where_no_engine_answers(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    with warnings.catch_warnings():
        # The engine's client leaves the socket of an attempt that failed to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        assert kinds.chosen("auto") == "processes"
        gc.collect()
    assert kinds.chosen("containers") == "containers"


def test_asked_for_by_name_an_engine_that_is_missing_is_a_failure(tmp_path):
    command = [sys.executable, "-m", "drills", "up", "--stack", "containers", "--dir", str(tmp_path / "s")]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "DOCKER_HOST": NOWHERE},
    )
    assert (ran.returncode, ran.stderr.count("\n")) == (4, 1), ran.stderr
    assert ".ci/engine" in ran.stderr
    assert not (tmp_path / "s").exists()
