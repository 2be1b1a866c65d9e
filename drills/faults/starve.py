"""Keeps the service of a stack from the processor: it is stopped whenever it has had its share of it.

    python -m drills.faults.starve STACK_FOLDER ORDER_FILE

Goes on until ORDER_FILE is gone, or the service of the stack has not been there for a while; the service then runs on.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from drills.stacks.errors import StackError
from drills.stacks.stack import Stack

SHARE = 0.006
_SLOT_S, _CREDIT_S = 0.002, 0.02
_PAUSE_S = 0.05
_SLOTS = 10  # at the most until the next pause: on a busy machine it does not have the processor in each
_LOOK_EVERY_S = 2.0
_GONE_S = 30.0


def main(arguments: Sequence[str]) -> int:
    """Starve until it is told not to any more."""
    stack, order = Stack.at(Path(arguments[0])), Path(arguments[1])
    pause = threading.Event()
    starved: list[psutil.Process] = []
    looked, seen = 0.0, time.monotonic()
    share = Share()
    try:
        while order.exists() and time.monotonic() - seen < _GONE_S:
            if time.monotonic() - looked > _LOOK_EVERY_S or not all(each.is_running() for each in starved):
                looked, starved = time.monotonic(), _service(stack)
                share.had = sum(map(used_s, starved))
            if starved:
                seen = time.monotonic()
            for _ in range(_SLOTS):
                if share.left(starved) <= 0:
                    break
                _tell(starved, "resume")
                pause.wait(_SLOT_S)
            _tell(starved, "suspend")
            pause.wait(_PAUSE_S)
    finally:
        _tell(starved, "resume")
    return 0


class Share:
    """How much processor time, in seconds, processes may have still; `had` is what they have had when last asked."""

    def __init__(self) -> None:
        self.had = 0.0
        self._credit, self._then = 0.0, time.monotonic()

    def left(self, processes: list[psutil.Process]) -> float:
        """What is left to them now; what they did not take is kept for later only up to a limit."""
        now, has = time.monotonic(), sum(map(used_s, processes))
        earned, spent = SHARE * (now - self._then), max(0.0, has - self.had)
        self._credit = min(self._credit + earned - spent, _CREDIT_S)
        self._then, self.had = now, has
        return self._credit


def used_s(process: psutil.Process) -> float:
    """The processor time, in seconds, that the threads of a process have had so far."""
    total = 0
    for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            total += int(task.read_text().split()[0])
    return total / 1e9


def _service(stack: Stack) -> list[psutil.Process]:
    try:
        return stack.service_processes()
    except StackError:
        return []


def _tell(processes: list[psutil.Process], what: str) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            getattr(process, what)()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
