"""Ending what is left of embedded stacks whose keeper is gone, and nothing of one that is alive or being made."""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import psutil

from drills.stacks.layout import MARK, Layout
from drills.stacks.processes.stack import keeper_pid
from drills.stacks.processes.take_down import leftovers

_END_S = 5.0


def sweep() -> Sequence[str]:
    """End what still runs of stacks that nobody keeps any more; what was ended."""
    ended: list[str] = []
    for root in sorted(_marked()):
        layout = Layout(root)
        if keeper_pid(layout) is not None or _being_made(root):
            continue
        left = leftovers(layout)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                ended.append(f"process {process.pid} ({process.name()}) of {root}")
                process.kill()
        psutil.wait_procs(left, timeout=_END_S)
    return ended


def _marked() -> set[Path]:
    """The folders that processes of this machine name as their stack's."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            mark = process.environ().get(MARK)
            if mark:
                found.add(Path(mark))
    return found


def _being_made(root: Path) -> bool:
    """Whether somebody holds the lease on the folder."""
    try:
        descriptor = os.open(root, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
