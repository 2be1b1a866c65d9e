"""Ending a stack: in good order through its keeper, by force where that does not come to an end."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from drills.stacks.errors import StackError
from drills.stacks.layout import MARK, Layout
from drills.stacks.processes.layout import read_stack_file
from drills.stacks.processes.stack import keeper_pid
from drills.stacks.processes.supervision import Supervisor
from target.wait import Seen, eventually

_ORDERLY_S = 30.0
_FORCED_S = 5.0


def take_down(layout: Layout) -> list[int]:
    """End everything that runs for this folder; the pids that had to be killed after the keeper was done.

    Raises StackError when something cannot be ended.
    """
    pid = keeper_pid(layout)
    if pid is not None:
        remembered = read_stack_file(layout)
        # Only to be quick: what does not stop here the keeper ends, one part after the other.
        with contextlib.suppress(StackError):
            Supervisor(layout, remembered.ports, remembered.secrets).stop_all()
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: Seen(keeper_pid(layout) is None, "the keeper runs"), deadline_s=_ORDERLY_S)
    killed = _kill_remains(layout)
    _unmount(layout)
    _remove_sockets(layout)
    layout.settled.unlink(missing_ok=True)
    # Thousands of files that nobody looks at afterwards, and that the next `up` makes anew.
    for venv in layout.root.glob(f"{layout.venv.name}*"):
        shutil.rmtree(venv)
    return killed


def _kill_remains(layout: Layout) -> list[int]:
    remains = leftovers(layout)
    for process in remains:
        process.kill()
    _, alive = psutil.wait_procs(remains, timeout=_FORCED_S)
    if alive:
        raise StackError(
            f"{layout.root}: these processes cannot be ended: {[process.pid for process in alive]}"
        )
    return [process.pid for process in remains]


def _unmount(layout: Layout) -> None:
    """What a fault has mounted in the folder; a busy one goes as soon as nobody uses it any more."""
    for mounted in psutil.disk_partitions(all=True):
        if Path(mounted.mountpoint).is_relative_to(layout.root):
            words = ["umount", "--lazy", mounted.mountpoint]
            ran = subprocess.run(words, capture_output=True, text=True, timeout=_FORCED_S, check=False)
            if ran.returncode:
                raise StackError(f"{mounted.mountpoint} cannot be unmounted: {ran.stderr.strip()}")


def leftovers(layout: Layout) -> list[psutil.Process]:
    """Processes of this stack, told by the mark in their environment (PostgreSQL's: by their working folder)."""
    return [process for process in psutil.process_iter() if _belongs(layout, process)]


def _belongs(layout: Layout, process: psutil.Process) -> bool:
    try:
        if process.environ().get(MARK) == str(layout.root):
            return True
        return process.name() == "postgres" and process.cwd() == str(layout.postgres)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False  # ended meanwhile, or somebody else's


def _remove_sockets(layout: Layout) -> None:
    """What SeaweedFS leaves in /tmp when its keeper was killed too."""
    if not layout.stack_file.exists():
        return
    ports = read_stack_file(layout).ports
    for name in ("master", "volume", "filer", "s3"):
        port = getattr(ports, f"{name}_grpc")
        Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108  (SeaweedFS's choice)
