"""Taking a matrix: stacks side by side, each in a process of its own, that are given one fault after the other."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from drills.faults.fault import Fault
from drills.matrix.revision import commit
from drills.matrix.row import HEALTHY, Matrix, Row, of
from drills.matrix.table import line_of
from drills.matrix.worker import now
from drills.matrix.workplace import alone, clear, keep_logs, note, noted
from drills.plan import apart
from drills.stacks.kinds import Say
from drills.workers import Worker, Workers

WORKER = "drills.matrix.worker"


class Taking(Workers):
    """A matrix being taken, with what is left of it in its folder: rows as they come, a run's folder a fault."""

    def __init__(self, faults: Iterable[Fault], kind: str, folder: Path, jobs: int, say: Say) -> None:
        super().__init__(jobs, say)
        self._faults = {fault.name: fault for fault in faults}
        self._kind, self._folder = kind, folder
        self._rows_file = folder / "rows.jsonl"
        self._began = time.monotonic()
        self._rows: dict[str, Row] = {}
        self._healthy: list[Row] = []
        self._commit = commit()

    def take(self, *, resume: bool) -> Matrix:
        """All of the rows; those that could not be taken are missing. Raises StackError: the folder is in use."""
        with alone(self._folder, self._say) as self._lock:
            if not resume:
                clear(self._folder)
            for row in noted(self._rows_file, Row):
                if row.fault in self._faults and not row.trouble:
                    self._rows[row.fault] = of(self._faults[row.fault], row)
            left = [fault for name, fault in self._faults.items() if name not in self._rows]
            if self._rows:
                self._say(f"{len(self._rows)} rows are there already, {len(left)} to go")
            try:
                self.hand_out(*apart(left, self._jobs))
            finally:
                self._keep_logs()
        return Matrix(
            stack=self._kind,
            commit=self._commit,
            taken_at=now(),
            cores=os.cpu_count() or 1,
            jobs=self._jobs,
            seconds=round(time.monotonic() - self._began, 1),
            rows=(*self._healthy, *(self._rows[name] for name in self._faults if name in self._rows)),
        )

    def _keep_logs(self) -> None:
        for stack in self._folder.glob("stack-*"):
            if (stack / "stack.json").exists():
                keep_logs(stack)

    def started(self, number: int) -> Worker:
        """A worker that takes rows."""
        stack = self._folder / f"stack-{number}"
        return Worker(number, [WORKER, self._kind, str(stack), str(self._folder / "runs")], stack, self._lock)

    def told(self, worker: Worker, line: bytes) -> bool:
        """A row: of a fault, or of the stack while nothing is broken."""
        row = msgspec.structs.replace(msgspec.json.decode(line, type=Row), commit=self._commit)
        if row.fault != HEALTHY:
            self._note(row)
            return True
        self._healthy.append(row)
        if worker.ready:
            return True
        bad = row.failed or row.trouble
        took = time.monotonic() - worker.began
        well = "is not well" if bad else "is judged good"
        self._say(f"stack {worker.number} is up, recorded, and {well} · {took:.0f} s")
        if bad:
            worker.give(None)
        return not bad

    def lost(self, worker: Worker, name: str) -> None:
        """The row of a fault in whose middle the stack was lost."""
        trouble = f"the stack was lost: {worker.why()}"
        row = Row(fault=name, taken_at=now(), commit=self._commit, trouble=trouble)
        self._note(of(self._faults[name], row))

    def _note(self, row: Row) -> None:
        self._rows[row.fault] = row
        note(row, self._rows_file)
        self._say(f"[{len(self._rows)}/{len(self._faults)}] {line_of(row)}")
