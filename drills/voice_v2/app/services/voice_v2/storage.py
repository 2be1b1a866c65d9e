"""Audio objects in the bucket, by the MinIO SDK in threads of its own."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from app.services.voice_v2.core.config import VoiceConfig
from app.services.voice_v2.core.errors import StorageError

T = TypeVar("T")

_WORKERS = 16


class ObjectStore:
    """The bucket. Probes have a client and a thread of their own, so that they answer when all else hangs."""

    def __init__(self, config: VoiceConfig) -> None:
        self._bucket = config.s3_bucket
        self._client = _client(config, connect_s=2, read_s=10, retries=1)
        self._probe_client = _client(config, connect_s=1, read_s=1.8, retries=0)
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="storage")
        self._probe_threads = ThreadPoolExecutor(2, thread_name_prefix="storage-probe")

    async def put(self, key: str, data: bytes, content_type: str, sha256: str) -> None:
        """Store one object; raises StorageError."""

        def work() -> None:
            self._client.put_object(
                self._bucket,
                key,
                io.BytesIO(data),
                len(data),
                content_type=content_type,
                metadata={"sha256": sha256},
            )

        await self._run(self._threads, work)

    async def remove(self, key: str) -> None:
        """Remove one object; raises StorageError."""
        await self._run(self._threads, lambda: self._client.remove_object(self._bucket, key))

    async def probe(self) -> None:
        """Raises StorageError where the bucket cannot be reached with these credentials."""
        if not await self._run(self._probe_threads, lambda: self._probe_client.bucket_exists(self._bucket)):
            raise StorageError(f"the bucket {self._bucket} does not exist")

    def close(self) -> None:
        """Let the threads end; what they are doing is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._probe_threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    async def _run(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except S3Error as error:
            raise StorageError(f"object storage: {error.code}") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StorageError(f"object storage cannot be reached: {type(error).__name__}") from error


def _client(config: VoiceConfig, *, connect_s: float, read_s: float, retries: int) -> Minio:
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=connect_s, read=read_s),
        maxsize=_WORKERS,
        retries=urllib3.Retry(total=retries, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]),
    )
    return Minio(
        config.s3_endpoint,
        access_key=config.s3_access_key,
        secret_key=config.s3_secret_key,
        secure=config.s3_secure,
        http_client=pool,
    )
