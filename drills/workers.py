"""Processes side by side, each with a stack of its own, that are given one thing to do after the other."""

import contextlib
import os
import selectors
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from drills.operator import REPOSITORY
from drills.stacks.commands import tethered
from drills.stacks.kinds import Say

_STACKS_AGAIN = 3
_LOOK_S = 5.0
_END_S = 120.0
_CHUNK = 1 << 16
_GAVE_UP = 1


class Worker:
    """A process that holds a stack: it reads a name a line, and tells a line at a time. A stack that it gives up
    before it begins with the next name ends it with 1, and its input with 0.

    `busy` is the name that it was given and has not done yet; `ready` is whether its stack ever came up.
    """

    def __init__(self, number: int, words: Sequence[str], stack: Path, lock: int) -> None:
        """`words` are the module to run and its arguments; `lock` is a file that it holds as long as it lives."""
        self.number = number
        self.stack = stack
        self.log = stack.with_name(f"{stack.name}.log")
        self.busy: str | None = None
        self.began = self.heard = time.monotonic()
        self.ready = self.dismissed = False
        self._begun = b""
        with self.log.open("ab") as log:
            self._said_before = log.tell()
            self.process = subprocess.Popen(
                tethered([sys.executable, "-m", *words], "TERM"),
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                # A Ctrl-C reaches it through this process, once.
                start_new_session=True,
                pass_fds=(lock,),
            )

    def give(self, name: str | None) -> None:
        """The next name; None: there is no other. One that has died meanwhile is seen at its end."""
        assert self.process.stdin is not None
        self.busy = name
        with contextlib.suppress(BrokenPipeError):
            if name is None:
                self.dismissed = True
                self.process.stdin.close()
            else:
                self.process.stdin.write(f"{name}\n".encode())

    def hear(self) -> list[bytes] | None:
        """The lines that it has told meanwhile, None at its end."""
        assert self.process.stdout is not None
        said = os.read(self.process.stdout.fileno(), _CHUNK)
        self.heard = time.monotonic()
        *lines, self._begun = (self._begun + said).split(b"\n")
        return lines if said else None

    def why(self) -> str:
        """The last line that it logged."""
        said = self.log.read_bytes()[self._said_before :]
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def end(self) -> None:
        """End it and its stack, in good order where it can."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_END_S)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


class Workers(ABC):
    """Hands names out to workers. One that dies costs what it was at; another takes its place, a few times.

    `silent_s` is after how long one that tells nothing is ended; `trouble` is why the last one that was needed is lost.
    """

    silent_s = 600.0

    def __init__(self, jobs: int, say: Say) -> None:
        self._jobs, self._say = jobs, say
        self._queue: deque[str] = deque()
        self._workers: list[Worker] = []
        self._again = _STACKS_AGAIN
        self.trouble = ""

    @abstractmethod
    def started(self, number: int) -> Worker:
        """A new worker."""

    @abstractmethod
    def told(self, worker: Worker, line: bytes) -> bool:
        """What a worker tells; whether it has done what it was given, and is free for more."""

    @abstractmethod
    def lost(self, worker: Worker, name: str) -> None:
        """A worker came to its end in the middle of this."""

    def hand_out(self, together: Iterable[str], alone: Iterable[str]) -> None:
        """All of `together` side by side; after that, with nothing beside them, those of `alone`.

        All workers have ended when it returns, or raises. What could not be done, as no stack could be had, is left.
        """
        self._do(together, range(1, self._jobs + 1))
        self._do(alone, range(self._jobs + 1, self._jobs + 2))

    def _do(self, names: Iterable[str], numbers: range) -> None:
        self._queue = deque(names)
        with selectors.DefaultSelector() as self._selector:
            try:
                for number in numbers[: len(self._queue)]:
                    self._start(number)
                while self._workers:
                    for key, _ in self._selector.select(_LOOK_S):
                        self._listen(key.data)
                    self._end_the_silent()
            finally:
                self._end_all()

    def _start(self, number: int) -> None:
        worker = self.started(number)
        self._workers.append(worker)
        assert worker.process.stdout is not None
        self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)

    def _end_the_silent(self) -> None:
        for worker in self._workers:
            if time.monotonic() - worker.heard > self.silent_s:
                self._say(f"stack {worker.number} says nothing for {self.silent_s:.0f} s; it is ended")
                worker.process.terminate()
                worker.heard = time.monotonic()

    def _end_all(self) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        for worker in self._workers:
            worker.end()

    def _listen(self, worker: Worker) -> None:
        lines = worker.hear()
        if lines is None:
            assert worker.process.stdout is not None
            self._selector.unregister(worker.process.stdout)
            self._workers.remove(worker)
            self._over(worker)
        for line in lines or ():
            if self.told(worker, line) and not worker.dismissed:
                worker.ready = True
                worker.give(self._queue.popleft() if self._queue else None)

    def _over(self, worker: Worker) -> None:
        """A worker came to its end: in good order, or in the middle of something."""
        worker.end()
        if worker.busy is not None and worker.process.returncode == _GAVE_UP:
            self._queue.appendleft(worker.busy)
        elif worker.busy is not None:
            self.lost(worker, worker.busy)
        if worker.process.returncode == 0 or not self._queue:
            return
        self.trouble = f"stack {worker.number} cannot be used any more: {worker.why()}"
        self._say(self.trouble)
        if self._again and worker.ready:
            self._again -= 1
            self._start(worker.number)
