"""A piece of sampling that is started once and awaited by many checks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Part(Generic[T]):
    """Work that runs at most once; every call gives the same value or raises the same error."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None

    def start(self) -> asyncio.Task[T]:
        """Start the work, unless it was started before. Needs a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())
            self._task.add_done_callback(_seen)
        return self._task

    async def __call__(self) -> T:
        """The value of the work. A caller that is cancelled leaves the work running for the others."""
        return await asyncio.shield(self.start())

    @property
    def done(self) -> bool:
        """Whether the work has come to an end, good or bad."""
        return self._task is not None and self._task.done()

    async def cancel(self) -> None:
        """Stop the work and wait until it has stopped."""
        if self._task is None or self._task.done():
            return
        self._task.cancel()
        await asyncio.wait([self._task])


def _seen(task: asyncio.Task[Any]) -> None:
    """Take the error of work that nobody came to ask for: whoever asks gets it raised all the same."""
    if not task.cancelled():
        task.exception()
