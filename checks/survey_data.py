"""What the survey reads of storage and database, in threads."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from checks import differences, reconcile
from checks.part import Part
from checks.reconcile import Content
from target.database import TableFacts, UsageLog, UsageRow
from target.description import Target
from target.errors import TargetError
from target.objects import ObjectFacts, ObjectStore
from target.record import ObjectRecord
from target.wait import Seen, eventually

T = TypeVar("T")

MOST_ROWS = 50_000
MOST_READ_BACK = 200
_READERS = 8
_WRITTEN_WITHIN_S = 3.0


class Bucket(msgspec.Struct, frozen=True):
    """The bucket: whether it is there, and everything in it by key."""

    there: bool
    objects: dict[str, ObjectFacts]


class Log(msgspec.Struct, frozen=True):
    """Rows of the usage log, oldest first; `complete` is false where only the newest were read."""

    rows: list[UsageRow]
    complete: bool


class DataFacts:
    """Facts of storage and database. `settled` is waited for first: by then the suite's own requests are written.

    `expected` says how many of the suite's own requests must be in the log by then.
    """

    def __init__(
        self, target: Target, settled: Callable[[], Awaitable[None]], expected: Callable[[], int]
    ) -> None:
        self.target = target
        self._settled = settled
        self._expected = expected
        self.newest_before: Part[int] = Part(lambda: asyncio.to_thread(self._newest))
        self.table: Part[TableFacts] = self._later(lambda: self._with_log(lambda log: log.facts()))
        self.writable: Part[bool] = self._later(lambda: self._with_log(lambda log: log.writable()))
        self.log: Part[Log] = Part(self._log)
        self.bucket: Part[Bucket] = Part(self._bucket)
        self.contents: Part[list[Content]] = Part(self._contents)

    def _later(self, work: Callable[[], T]) -> Part[T]:
        async def wait_and_work() -> T:
            await self._settled()
            return await asyncio.to_thread(work)

        return Part(wait_and_work)

    def own(self, log: Log, newest_before: int) -> list[UsageRow]:
        """The rows that this run's own requests wrote."""
        return [row for row in log.rows if row.id > newest_before and row.mark == self.target.mark]

    async def owed(self) -> list[UsageRow]:
        """The rows whose audio has to be there: all but those that earlier runs of this suite have left."""
        log = await self.log()
        if not self._marked:
            return log.rows
        before = await self.newest_before()
        return [row for row in log.rows if row.mark != self.target.mark or row.id > before]

    async def against(self, recorded: tuple[ObjectRecord, ...]) -> list[str]:
        """A line for each way in which the bucket is not as recorded; objects that an ETag leaves in doubt are read."""
        compared = differences.objects(recorded, (await self.bucket()).objects)
        hashes = await self.hashes([item.key for item in compared.doubtful])
        altered = [item.key for item in compared.doubtful if hashes[item.key] != item.sha256]
        if not altered:
            return compared.problems
        line = f"{len(altered)} of {len(recorded)} objects altered: {differences.named(altered)}"
        return [*compared.problems, line]

    async def hashes(self, keys: list[str]) -> dict[str, str | None]:
        """SHA-256 of objects as they are now, None for one that is gone."""
        return await asyncio.to_thread(self._hashes, keys)

    def _hashes(self, keys: list[str]) -> dict[str, str | None]:
        store = self._store()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="read-back") as pool:
            return dict(zip(keys, pool.map(store.sha256, keys), strict=True))

    def _newest(self) -> int:
        rows = self._with_log(lambda log: log.rows(limit=1))
        return rows[-1].id if rows else 0

    async def _log(self) -> Log:
        await self._settled()
        newest = await self.newest_before() if self._marked else None
        return await asyncio.to_thread(self._rows, newest)

    @property
    def _marked(self) -> bool:
        return bool(
            self.target.database and self.target.database.mark_column and self.target.api.headers.mark
        )

    def _rows(self, newest_before: int | None) -> Log:
        """The newest rows, as soon as the suite's own are among them, or when they should have been."""
        seen: list[UsageRow] = []

        def look(log: UsageLog) -> Seen:
            seen[:] = log.rows(limit=MOST_ROWS)
            if newest_before is None:
                return Seen(True, "read")
            own = len(self.own(Log(seen, True), newest_before))
            return Seen(own >= self._expected(), f"{own} rows")

        self._with_log(
            lambda log: eventually(lambda: look(log), deadline_s=_WRITTEN_WITHIN_S, interval_s=0.2)
        )
        return Log(list(seen), len(seen) < MOST_ROWS)

    async def _bucket(self) -> Bucket:
        """Listed after the rows were read, so that every row's audio is there by then."""
        if self.target.database is not None:
            await asyncio.wait([self.log.start()])
        await self._settled()
        return await asyncio.to_thread(self._list)

    def _list(self) -> Bucket:
        store = self._store()
        if not store.exists():
            return Bucket(False, {})
        return Bucket(True, {item.key: item for item in store.list()})

    async def _contents(self) -> list[Content]:
        owed, bucket = await self.owed(), await self.bucket()
        there = [row for row in owed if row.audio_key in bucket.objects]
        chosen = reconcile.to_read_back(there, MOST_READ_BACK, random.Random())  # noqa: S311  (a sample, no secret)
        return await asyncio.to_thread(self._read_back, chosen)

    def _read_back(self, rows: list[UsageRow]) -> list[Content]:
        found = self._hashes([row.audio_key for row in rows if row.audio_key is not None])
        return [Content(row, found[row.audio_key]) for row in rows if row.audio_key is not None]

    def _store(self) -> ObjectStore:
        if self.target.objects is None:
            raise TargetError(f"{self.target.source} names no `objects`")
        return ObjectStore(self.target.objects)

    def _with_log(self, work: Callable[[UsageLog], T]) -> T:
        if self.target.database is None:
            raise TargetError(f"{self.target.source} names no `database`")
        log = UsageLog(self.target.database)
        try:
            return work(log)
        finally:
            log.close()
