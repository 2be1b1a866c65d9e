"""What the checks stand on besides the service itself: the hosts and the record, fetched once, off the event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from checks.run import Run
from target.errors import HostError, RecordError, WrongTarget
from target.host import Host
from target.record import Record, Records


class Surroundings:
    """Fetches in threads, so that nothing here delays a request whose latency is being measured."""

    def __init__(self, run: Run, record: str | None) -> None:
        self._run = run
        self._wanted = record or run.target.record
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def start(self) -> None:
        """Begin fetching, without waiting."""
        self._once("record", self._record)

    async def hosts(self) -> list[Host]:
        """The hosts of the target, each proven to be reachable. Raises WrongTarget."""
        return await asyncio.shield(self._once("hosts", self._hosts))

    async def named(self) -> None:
        """Wait for the record that was asked for by name, where one was. Raises WrongTarget when there is none."""
        if self._wanted:
            await self.record()

    async def record(self) -> Record:
        """The record to compare with.

        Raises RecordError when none is recorded yet, WrongTarget when there is none of the name that was asked for, or
        no host answers.
        """
        return await asyncio.shield(self._once("record", self._record))

    async def close(self) -> None:
        """Wait for what was begun, so that no thread outlives the run."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _once(self, name: str, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(fetch(), name=name)
        return self._tasks[name]

    async def _hosts(self) -> list[Host]:
        found = [Host(url) for url in self._run.target.hosts]
        try:
            await asyncio.gather(*(asyncio.to_thread(host.identity) for host in found))
        except HostError as error:
            raise WrongTarget(str(error)) from error
        return found

    async def _record(self) -> Record:
        records = Records((await self.hosts())[0], self._run.target.state_dir)
        found = await asyncio.to_thread(self._find, records)
        if found is None:
            raise RecordError("no known-good version is recorded yet, so there is nothing to compare with")
        self._run.record = found.name
        return found

    def _find(self, records: Records) -> Record | None:
        if not self._wanted:
            return records.expected()
        try:
            return records.get(self._wanted)
        except RecordError as error:
            raise WrongTarget(str(error)) from error
