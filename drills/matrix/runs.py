"""Taking a matrix: stacks side by side, each in a process of its own, that are given one fault after the other."""

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import msgspec

from drills.faults.fault import Fault
from drills.matrix.revision import commit
from drills.matrix.row import HEALTHY, Matrix, Row, of
from drills.matrix.table import line_of
from drills.matrix.worker import now
from drills.matrix.workplace import alone, clear, keep_logs, note, noted
from drills.operator import REPOSITORY
from drills.stacks.commands import tethered
from drills.stacks.kinds import Say

WORKER = "drills.matrix.worker"
_STACKS_AGAIN = 3
_SILENT_S = 600.0
_LOOK_S = 5.0
_END_S = 120.0


class _Worker:
    """A process that holds a stack; `busy` is the fault that it was given and has not told of yet."""

    def __init__(self, number: int, kind: str, folder: Path, lock: int) -> None:
        self.number = number
        self.stack = folder / f"stack-{number}"
        self.log = folder / f"stack-{number}.log"
        self.busy: str | None = None
        self.began = self.heard = time.monotonic()
        self.ready = self.dismissed = False
        words = [sys.executable, "-m", WORKER, kind, str(self.stack), str(folder / "runs")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tethered(words, "TERM"),
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
                # A Ctrl-C reaches it through this process, once.
                start_new_session=True,
                pass_fds=(lock,),
            )

    def give(self, name: str | None) -> None:
        """The next fault; None: there is no other. One that has died meanwhile is seen at its end."""
        assert self.process.stdin is not None
        self.busy = name
        with contextlib.suppress(BrokenPipeError):
            if name is None:
                self.dismissed = True
                self.process.stdin.close()
            else:
                self.process.stdin.write(f"{name}\n")

    def hear(self) -> Row | None:
        """The row that it tells, None at its end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.heard = time.monotonic()
        return msgspec.json.decode(line, type=Row) if line.endswith("\n") else None

    def why(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def end(self) -> None:
        """End it and its stack, in good order where it can."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()  # The keeper of its stack sees that, and ends the stack.
            self.process.wait(_END_S)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


class Taking:
    """A matrix being taken, with what is left of it in its folder: rows as they come, a run's folder a fault."""

    def __init__(self, faults: Iterable[Fault], kind: str, folder: Path, jobs: int, say: Say) -> None:
        self._faults = {fault.name: fault for fault in faults}
        self._kind, self._folder, self._jobs, self._say = kind, folder, jobs, say
        self._rows_file = folder / "rows.jsonl"
        self._began = time.monotonic()
        self._queue: deque[str] = deque()
        self._rows: dict[str, Row] = {}
        self._healthy: list[Row] = []
        self._workers: list[_Worker] = []
        self._again = _STACKS_AGAIN
        self._commit = commit()

    def take(self, *, resume: bool) -> Matrix:
        """All of the rows; those that could not be taken are missing. Raises StackError: the folder is in use."""
        with alone(self._folder, self._say) as self._lock:
            if not resume:
                clear(self._folder)
            for row in noted(self._rows_file, Row):
                if row.fault in self._faults and not row.trouble:
                    self._rows[row.fault] = of(self._faults[row.fault], row)
            self._queue = deque(name for name in self._faults if name not in self._rows)
            if self._rows:
                self._say(f"{len(self._rows)} rows are there already, {len(self._queue)} to go")
            self._work()
        return Matrix(
            stack=self._kind,
            commit=self._commit,
            taken_at=now(),
            cores=os.cpu_count() or 1,
            jobs=self._jobs,
            seconds=round(time.monotonic() - self._began, 1),
            rows=(*self._healthy, *(self._rows[name] for name in self._faults if name in self._rows)),
        )

    def _work(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            try:
                for number in range(1, min(self._jobs, len(self._queue)) + 1):
                    self._start(number)
                while self._workers:
                    for key, _ in self._selector.select(_LOOK_S):
                        self._listen(key.data)
                    self._end_the_silent()
            finally:
                self._end_all()

    def _start(self, number: int) -> None:
        worker = _Worker(number, self._kind, self._folder, self._lock)
        self._workers.append(worker)
        assert worker.process.stdout is not None
        self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)

    def _end_the_silent(self) -> None:
        for worker in self._workers:
            if time.monotonic() - worker.heard > _SILENT_S:
                self._say(f"stack {worker.number} says nothing for {_SILENT_S:.0f} s; it is ended")
                worker.process.terminate()
                worker.heard = time.monotonic()

    def _end_all(self) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        for worker in self._workers:
            worker.end()
        for stack in self._folder.glob("stack-*"):
            if (stack / "stack.json").exists():
                keep_logs(stack)

    def _listen(self, worker: _Worker) -> None:
        row = worker.hear()
        if row is None:
            assert worker.process.stdout is not None
            self._selector.unregister(worker.process.stdout)
            self._workers.remove(worker)
            self._over(worker)
            return
        row = msgspec.structs.replace(row, commit=self._commit)
        if row.fault == HEALTHY:
            self._healthy.append(row)
            if not worker.ready:
                took = time.monotonic() - worker.began
                well = "is not well" if row.failed or row.trouble else "is judged good"
                self._say(f"stack {worker.number} is up, recorded, and {well} · {took:.0f} s")
                if row.failed or row.trouble:
                    worker.give(None)
            worker.ready = True
        else:
            self._note(row)
        if not worker.dismissed:
            worker.give(self._queue.popleft() if self._queue else None)

    def _note(self, row: Row) -> None:
        self._rows[row.fault] = row
        note(row, self._rows_file)
        self._say(f"[{len(self._rows)}/{len(self._faults)}] {line_of(row)}")

    def _over(self, worker: _Worker) -> None:
        """A worker came to its end: in good order, or in the middle of a row."""
        worker.end()
        lost = worker.busy if worker.busy not in self._rows else None
        if lost is not None and worker.process.returncode == 1:
            # It gave up its stack after the row before, and has not begun with this one.
            self._queue.appendleft(lost)
        elif lost is not None:
            trouble = f"the stack was lost: {worker.why()}"
            row = Row(fault=lost, taken_at=now(), commit=self._commit, trouble=trouble)
            self._note(of(self._faults[lost], row))
        if worker.process.returncode == 0 or not self._queue:
            return
        self._say(f"stack {worker.number} cannot be used any more: {worker.why()}")
        if self._again and worker.ready:
            self._again -= 1
            self._start(worker.number)
