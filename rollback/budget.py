"""The time that the runbook gives a level: how much of it is used, and what comes after it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rollback import clock

# Level 0 is data recovery, which the runbook gives no time of its own: that of the highest level bounds it.
BUDGET_S = {0: 3600.0, 1: 600.0, 2: 1800.0, 3: 3600.0}
NEXT_LEVEL = {
    0: "restore from scratch, or escalate",
    1: "Level 2: git or files",
    2: "Level 3: containers or virtualenv",
    3: "restore from scratch, or escalate",
}


class Budget:
    """The budget of one call, from now on; it stops nothing, since a rollback cut off in the middle helps nobody."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """All that the level has."""
        return BUDGET_S[self.level]

    @property
    def used(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def says(self) -> str:
        """`12.3 s of 10 min`."""
        return f"{clock.length(self.used)} of {clock.budget(self.seconds)}"

    @contextlib.contextmanager
    def watched(self, tell: Callable[[str, str], None]) -> Iterator[None]:
        """Tell once when half of it is used, and once when all of it is, with what the next level would be."""
        over = threading.Event()

        def watch() -> None:
            if not over.wait(max(0.0, self.seconds / 2 - self.used)):
                tell(f"half of the time is used: {self.says()}", "doubt")
            if not over.wait(max(0.0, self.seconds - self.used)):
                tell(
                    f"past the budget of {clock.budget(self.seconds)}: this goes on; the next level would be "
                    f"{NEXT_LEVEL[self.level]}",
                    "bad",
                )

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(timeout=5)
