"""Waiting on a condition with a deadline, instead of sleeping."""

import time
from collections.abc import Callable

import msgspec


class Waited(msgspec.Struct, frozen=True):
    """What `eventually` saw: `met` is whether the condition held in time; `seen` is the last thing observed."""

    met: bool
    seen: str
    attempts: int
    seconds: float


class Seen(msgspec.Struct, frozen=True):
    """One look at a condition. `final` stops the wait early: the state can no longer become good."""

    met: bool
    seen: str
    final: bool = False


def eventually(
    look: Callable[[], Seen],
    *,
    deadline_s: float,
    interval_s: float = 0.05,
    on_attempt: Callable[[int, Seen], None] | None = None,
) -> Waited:
    """Look again and again until the condition holds, can no longer hold, or `deadline_s` seconds have passed.

    Monotonic clock; the interval grows by half each time up to one second. `look` must bound its own time and
    must not raise for "not yet".
    """
    started = time.monotonic()
    attempts = 0
    while True:
        seen = look()
        attempts += 1
        if on_attempt is not None:
            on_attempt(attempts, seen)
        elapsed = time.monotonic() - started
        if seen.met or seen.final or elapsed >= deadline_s:
            return Waited(met=seen.met, seen=seen.seen, attempts=attempts, seconds=elapsed)
        time.sleep(min(interval_s, max(0.0, deadline_s - elapsed)))
        interval_s = min(interval_s * 1.5, 1.0)
