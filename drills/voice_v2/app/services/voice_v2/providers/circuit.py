"""A circuit breaker, and what was lately seen of a provider."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0
_UNHEALTHY_AFTER: Final = 3


class Circuit:
    """Opens after `failures` in a row; after `reset_s` seconds one request at a time may try again."""

    def __init__(self, failures: int, reset_s: float) -> None:
        self._failures = failures
        self._reset_s = reset_s
        self._in_a_row = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether requests are being kept away at this moment."""
        return self._opened_at is not None and time.monotonic() < self._opened_at + self._reset_s

    def enter(self) -> bool:
        """Whether a request may go; one that may must be followed by `leave`."""
        if self._opened_at is None:
            return True
        if self.is_open or self._trying:
            return False
        self._trying = True
        return True

    def leave(self, *, ok: bool | None) -> None:
        """Tell how the request ended; None where it says nothing about the provider."""
        self._trying = False
        if ok:
            self._in_a_row = 0
            self._opened_at = None
        elif ok is False:
            self._in_a_row += 1
            if self._in_a_row >= self._failures or self._opened_at is not None:
                self._opened_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: when (monotonic), how long (both in seconds), and why it failed, if it did."""

    at: float
    seconds: float
    error: str | None


class Sightings:
    """The requests of the last minute (at most 200) to one provider for one operation."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=200)

    def add(self, seconds: float, error: str | None) -> None:
        """Note a request that has just ended."""
        self._seen.append(Seen(time.monotonic(), seconds, error))

    def recent(self) -> list[Seen]:
        """The requests of the last minute, oldest first."""
        horizon = time.monotonic() - WINDOW_S
        while self._seen and self._seen[0].at < horizon:
            self._seen.popleft()
        return list(self._seen)

    def status(self) -> str:
        """`unhealthy` after three failures in a row, `degraded` after one, else `healthy`."""
        in_a_row = 0
        for seen in reversed(self.recent()):
            if seen.error is None:
                break
            in_a_row += 1
        if in_a_row >= _UNHEALTHY_AFTER:
            return "unhealthy"
        return "degraded" if in_a_row else "healthy"
