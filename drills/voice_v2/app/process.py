"""What this process is: its version, revision and start, and how it stops in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from app.services.voice_v2 import __version__
from app.services.voice_v2.core.errors import ShuttingDownError

ROOT: Final = Path(__file__).resolve().parent.parent
_GRACE_S: Final = 1.2


@dataclass(frozen=True, slots=True)
class Release:
    """What was started, fixed at the start: the git SHA of the checkout, the start in ISO 8601 UTC."""

    version: str
    revision: str | None
    started_at: str


def this_release() -> Release:
    """Read the release from the checkout; VOICE_REVISION stands in where there is no git."""
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Release(__version__, _git_sha() or os.environ.get("VOICE_REVISION") or None, started_at)


def _git_sha() -> str | None:
    # Without its own .git this folder would be given the SHA of whatever repository is around it.
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


class Stopper:
    """Gives the requests under way a little more than a second once SIGTERM or SIGINT has come."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Timeout] = set()
        self._stopping = False

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Around each request; raises ShuttingDownError in those that take too long to end."""
        if self._stopping:
            raise ShuttingDownError("the service is stopping")
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._under_way.add(limit)
                try:
                    yield
                finally:
                    self._under_way.discard(limit)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ShuttingDownError("the service is stopping") from None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the stop signals before the server does, which then waits for the requests to end."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def heard(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._stop)
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

        for number in before:
            signal.signal(number, heard)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self) -> None:
        self._stopping = True
        when = asyncio.get_running_loop().time() + _GRACE_S
        for limit in self._under_way:
            limit.reschedule(when)
