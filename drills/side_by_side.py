"""Drills side by side: workers that have a stack each are given one fault after the other."""

import time
from collections.abc import Sequence
from contextlib import closing

import msgspec

from drills.course import end_of, not_drilled
from drills.faults.fault import Fault
from drills.matrix.workplace import alone
from drills.outcome import Drilled
from drills.plan import apart
from drills.stacks.errors import StackError
from drills.stacks.kinds import Say
from drills.stacks.stack import Stack
from drills.venue import OWN
from drills.worker import Told
from drills.workers import Worker, Workers

WORKER = "drills.worker"


class SideBySide(Workers):
    """The drills of these faults, on so many stacks in `.drills/<kind>-jobs`; `drilled` gets them as they end."""

    silent_s = 1200.0  # longer than any command that a drill waits for

    def __init__(
        self, faults: Sequence[Fault], kind: str, drilled: list[Drilled], jobs: int, say: Say, *, ssh: bool
    ) -> None:
        super().__init__(jobs, say)
        self._faults = {fault.name: fault for fault in faults}
        self._kind, self._drilled, self._ssh = kind, drilled, ssh
        self._folder = OWN / f"{kind}-jobs"

    def drill(self) -> None:
        """Drill them all; no stack is left running. Raises StackError: some were not, as no stack was to be had."""
        with alone(self._folder, self._say) as self._lock:
            for log in self._folder.glob("stack-*.log"):
                log.unlink()
            try:
                self.hand_out(*apart(list(self._faults.values()), self._jobs))
            finally:
                self._take_down()
        if len(self._drilled) < len(self._faults):
            raise StackError(self.trouble)

    def _take_down(self) -> None:
        """Take down the stacks of workers that could not do it themselves."""
        for found in self._folder.glob("stack-*/stack.json"):
            with closing(Stack.at(found.parent)) as stack:
                if stack.running():
                    self._say(f"{found.parent.name} is left running; it is taken down")
                    stack.take_down()

    def started(self, number: int) -> Worker:
        """A worker that drills."""
        stack = self._folder / f"stack-{number}"
        words = [WORKER, self._kind, str(stack), *(["ssh"] if self._ssh else [])]
        return Worker(number, words, stack, self._lock)

    def told(self, worker: Worker, line: bytes) -> bool:
        """Progress, of a drill or of a stack; or a drill that has ended."""
        told = msgspec.json.decode(line, type=Told)
        if told.says:
            self._say(f"{worker.busy or f'stack {worker.number}'}: {told.says}")
        if told.drilled is not None:
            self._ended(told.drilled)
        elif told.free:
            self._say(f"stack {worker.number}: up after {time.monotonic() - worker.began:.0f} s")
        return told.free

    def lost(self, worker: Worker, name: str) -> None:
        """A drill in whose middle the stack was lost."""
        why = f"not drilled: its stack was lost: {worker.why()}"
        self._ended(not_drilled(self._faults[name], self._kind, why))

    def _ended(self, drilled: Drilled) -> None:
        self._drilled.append(drilled)
        self._say(f"[{len(self._drilled)}/{len(self._faults)}] {drilled.fault}: {end_of(drilled)}")
