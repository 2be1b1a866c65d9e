"""The folder of a containers stack, who owns what it makes, and what sweeping spares."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from drills.stacks.containers import inventory
from drills.stacks.containers.inventory import Thing
from drills.stacks.containers.layout import Ports, StackFile, check_path, new_run, read_stack_file
from drills.stacks.containers.sweep import _stays
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout, choose_ports, new_secrets, write_private


def remember(layout, run):
    remembered = StackFile(ports=choose_ports(Ports), secrets=new_secrets(), latency_s=None, run=run)
    write_private(layout.stack_file, msgspec.json.encode(remembered))
    return remembered


def test_the_stack_file_comes_back_and_says_its_kind(tmp_path):
    remembered = remember(Layout(tmp_path), new_run())
    assert read_stack_file(Layout(tmp_path)) == remembered
    assert remembered.kind == "containers"


@pytest.mark.parametrize("path", ["/a b", "/a:b", "/a%b", "/ж"])
def test_a_path_that_a_tool_would_read_in_its_own_way_is_refused(path):
    with pytest.raises(StackError, match="name another with --dir"):
        check_path(Path(path))


def test_who_is_not_root_is_told_what_else_there_is(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StackError, match="--stack processes"):
        check_path(Path("/tmp/play"))


def test_an_owner_is_alive_until_its_process_ends():
    assert inventory.alive(inventory.this_process())
    with subprocess.Popen(["sleep", "30"]) as process:
        owner = f"{process.pid} {inventory.started(process.pid)}"
        assert inventory.alive(owner)
        assert not inventory.alive(f"{process.pid} 1")
        process.kill()
    assert not inventory.alive(owner)
    assert not inventory.alive("")


def test_only_the_settled_run_that_its_folder_remembers_stays(tmp_path):
    layout, run = Layout(tmp_path), new_run()
    thing = Thing("container", f"{run}-front", tmp_path, run, "1 1")
    assert not _stays(thing)
    remember(layout, run)
    assert not _stays(thing)
    layout.run.mkdir()
    layout.settled.touch()
    assert _stays(thing)
    assert not _stays(msgspec.structs.replace(thing, run=new_run()))


def test_a_settled_run_of_another_version_of_this_stays_as_well(tmp_path):
    layout = Layout(tmp_path)
    layout.run.mkdir()
    layout.settled.touch()
    layout.stack_file.write_text('{"kind": "containers", "run": "r", "format": 99}')
    assert _stays(Thing("container", "r-front", tmp_path, "r", "1 1"))
