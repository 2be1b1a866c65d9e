"""Real servers on 127.0.0.1 for the tests: started once, always stopped."""

import contextlib
import ctypes
import functools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from target.wait import Seen, eventually


@contextlib.contextmanager
def running(
    command: list[str], log: Path, *, stop: signal.Signals = signal.SIGTERM, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block, and with this process however that ends."""
    die = functools.partial(_die_with_parent, stop) if sys.platform == "linux" else None
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=user,
            start_new_session=True,
            preexec_fn=die,  # noqa: PLW1509  (one prctl, no lock)
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def _die_with_parent(how: signal.Signals) -> None:
    _libc().prctl(1, how)  # PR_SET_PDEATHSIG


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def answers(ask: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `ask` raises nothing."""

    def look() -> Seen:
        if process.poll() is not None:
            return Seen(met=False, seen=f"it ended with {process.returncode}", final=True)
        try:
            ask()
        except Exception as error:  # noqa: BLE001  (whatever is raised before it is up means: not yet)
            return Seen(met=False, seen=repr(error))
        return Seen(met=True, seen="up")

    waited = eventually(look, deadline_s=60)
    assert waited.met, f"{waited.seen}\n{log.read_text(errors='replace')[-2000:]}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
