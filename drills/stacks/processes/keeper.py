"""Holds supervisord, and sees to it that nothing of a stack outlives it. Run as a script, standard library only.

    keeper.py RUN_FOLDER SOCKET_PORTS -- COMMAND …

Locks RUN_FOLDER/alive, goes on in the background, and runs COMMAND there (supervisord in the foreground). It ends
COMMAND with SIGTERM when it is told to end itself, and when the lock on the folder around RUN_FOLDER falls free
(whoever brought the stack up has gone, however that happened) while there is no RUN_FOLDER/settled. Afterwards it
removes what SeaweedFS leaves in /tmp: sockets named after its ports.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_STOP_SECONDS = 25.0
_LOOKED_AT_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Hold the command until it ends, in a process of its own; 75 when another keeper holds this folder."""
    split = arguments.index("--")
    run, ports = Path(arguments[0]), arguments[1]
    alive = os.open(run / "alive", os.O_RDWR | os.O_CREAT, 0o600)
    if not _locked(alive):
        return os.EX_TEMPFAIL
    if keeper := os.fork():
        os.ftruncate(alive, 0)
        os.write(alive, f"{keeper}\n".encode())
        return 0
    os.setsid()
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: asked.set())
    child = subprocess.Popen(arguments[split + 1 :], stdin=subprocess.DEVNULL)
    threading.Thread(target=_follow_lease, args=(run, asked), daemon=True).start()
    threading.Thread(target=_follow_child, args=(child, asked), daemon=True).start()
    asked.wait()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    status = child.wait()
    for name in ("master", "volume", "filer", "s3"):
        for port in ports.split(","):
            Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108  (SeaweedFS's choice)
    return status


def _locked(descriptor: int) -> bool:
    """Take the lock; who only looks whether it is held has it for a moment, and is waited for."""
    deadline = time.monotonic() + _LOOKED_AT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            threading.Event().wait(0.02)
        else:
            return True


def _follow_lease(run: Path, asked: threading.Event) -> None:
    lease = os.open(run.parent, os.O_RDONLY)
    fcntl.flock(lease, fcntl.LOCK_EX)
    os.close(lease)
    if not (run / "settled").exists():
        asked.set()


def _follow_child(child: "subprocess.Popen[bytes]", asked: threading.Event) -> None:
    child.wait()
    asked.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
