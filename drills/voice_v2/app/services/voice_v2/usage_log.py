"""The table voice_usage_logs: one row for each request."""

from __future__ import annotations

import uuid
from dataclasses import astuple, dataclass, fields
from typing import Final

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.services.voice_v2.core.config import VoiceConfig
from app.services.voice_v2.core.errors import DatabaseError

_POOL_WAIT_S: Final = 2.0
_STATEMENT_MS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """A row, but for the columns that the database fills; `duration_ms` in milliseconds."""

    request_id: uuid.UUID
    operation: str
    provider: str | None
    language: str | None
    status: str
    duration_ms: int
    audio_key: str | None = None
    audio_sha256: str | None = None
    audio_bytes: int | None = None
    characters: int | None = None
    client: str | None = None
    error: str | None = None


_COLUMNS: Final = [field.name for field in fields(UsageRow)]
_INSERT: Final = (
    f"INSERT INTO voice_usage_logs ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608  (the names of UsageRow)
)


class UsageLog:
    """Connections to the database. Probes have one of their own, which tells why it cannot connect."""

    def __init__(self, config: VoiceConfig) -> None:
        self._url = config.database_url
        self._probe: psycopg.AsyncConnection | None = None
        self._pool = AsyncConnectionPool(
            config.database_url,
            min_size=2,
            max_size=10,
            timeout=_POOL_WAIT_S,
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
                "application_name": "voice-v2",
                "options": f"-c statement_timeout={_STATEMENT_MS}",
            },
            check=AsyncConnectionPool.check_connection,  # a database that was restarted costs no request
            reconnect_timeout=5,
        )

    async def open(self) -> None:
        """Begin to connect; a database that is away is met again at every request."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=1)
        await self._drop_probe()

    async def add(self, row: UsageRow) -> None:
        """Write one row; raises DatabaseError."""
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_INSERT, astuple(row))
        except PoolTimeout as error:
            raise DatabaseError(f"the database gave no connection within {_POOL_WAIT_S:g} s") from error
        except psycopg.Error as error:
            raise DatabaseError(f"the database refused the row: {_first_line(error)}") from error

    async def revision(self) -> str | None:
        """The schema's revision, None where it was never migrated.

        Raises:
            DatabaseError: the database is away, or the table is missing.
        """
        try:
            return await self._ask()
        except psycopg.OperationalError:
            await self._drop_probe()
        # The connection may have died while the database is back already.
        try:
            return await self._ask()
        except psycopg.Error as error:
            await self._drop_probe()
            raise DatabaseError(f"database: {_first_line(error)}") from error

    async def _ask(self) -> str | None:
        if self._probe is None:
            self._probe = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, connect_timeout=2, application_name="voice-v2-probe"
            )
        tables = await self._one(
            "SELECT to_regclass('voice_usage_logs')::text, to_regclass('alembic_version')::text"
        )
        if tables[0] is None:
            raise DatabaseError("database: the table voice_usage_logs is missing")
        if tables[1] is None:
            return None
        return (await self._one("SELECT (SELECT version_num FROM alembic_version LIMIT 1)"))[0]

    async def _one(self, query: str) -> tuple[str | None, ...]:
        assert self._probe is not None
        cursor = await self._probe.execute(query)
        row = await cursor.fetchone()
        assert row is not None
        return tuple(row)

    async def _drop_probe(self) -> None:
        if self._probe is not None:
            await self._probe.close()
            self._probe = None


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
