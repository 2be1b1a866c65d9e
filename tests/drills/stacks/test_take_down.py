"""Ending a stack takes what faults have put around it with it."""

import os
import subprocess

import psutil
import pytest

from drills.stacks.layout import Layout
from drills.stacks.processes.take_down import take_down


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_what_is_mounted_in_its_folder_goes(tmp_path):
    layout = Layout(tmp_path / "a stack")
    beside = tmp_path / "a stack beside"
    for folder in (layout.state, beside):
        folder.mkdir(parents=True)
    layout.run.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none"]
    try:
        for folder in (layout.state, beside):
            subprocess.run([*mount, str(folder)], check=True, timeout=20)
        take_down(layout)
        mounted = {each.mountpoint for each in psutil.disk_partitions(all=True)}
        assert str(layout.state) not in mounted
        assert str(beside) in mounted
    finally:
        subprocess.run(["umount", str(beside)], check=True, timeout=20)
