"""Object storage of a target, by the MinIO SDK."""

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from target.description import Objects
from target.errors import StoreError

if TYPE_CHECKING:
    import urllib3
    from minio import Minio
    from minio.datatypes import Object
    from urllib3 import BaseHTTPResponse

_CHUNK = 1 << 20
_CONNECTIONS = 16
_GONE = ("NoSuchKey", "NoSuchObject")
_KEYS = "correct the target's `access_key` and `secret_key`"
_NEXT = {
    "AccessDenied": "grant s3:ListBucket, s3:GetBucketLocation and s3:GetObject on it to the target's key",
    "AllAccessDisabled": "grant s3:ListBucket, s3:GetBucketLocation and s3:GetObject on it to the target's key",
    "InvalidAccessKeyId": f"the server does not know this access key: {_KEYS}",
    "SignatureDoesNotMatch": f"the secret key is wrong: {_KEYS}",
    "NoSuchBucket": "correct the bucket's name in the target file, or restore the bucket",
    "RequestTimeTooSkewed": "the clocks of this machine and of the server differ: set them",
    "AuthorizationHeaderMalformed": "the region is wrong: is this the endpoint of the bucket's own region?",
    "SlowDown": "the server asks for fewer requests: run this again later",
    "XMinioStorageFull": "free space on the storage server",
}


class ObjectFacts(msgspec.Struct, frozen=True):
    """An object as a listing shows it; `modified` in seconds since the epoch, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified: float


class ObjectStore:
    """A bucket. Blocking (call from a thread in async code); every request has a timeout; failures are `StoreError`."""

    def __init__(self, objects: Objects, *, timeout_s: float = 10.0) -> None:
        self._objects = objects
        self._timeout_s = timeout_s
        self.bucket = objects.bucket
        self.server = f"{'https' if objects.secure else 'http'}://{objects.endpoint}"
        self._where = f"{self.server}, bucket {objects.bucket}"

    def exists(self) -> bool:
        """Whether the bucket is there. Raises StoreError when that cannot be told (refused, down)."""
        with self._telling():
            return self._client.bucket_exists(self._objects.bucket)

    def list(self, prefix: str = "") -> Iterator[ObjectFacts]:
        """Every object below the prefix. Raises StoreError."""
        with self._telling():
            for item in self._client.list_objects(self._objects.bucket, prefix=prefix, recursive=True):
                if item.is_dir or item.object_name is None:
                    continue
                yield _facts(item)

    def folders(self, prefix: str = "") -> tuple[tuple[str, ...], tuple[ObjectFacts, ...]]:
        """What lies right below the prefix: folders, with the `/` they end with, and objects. Raises StoreError."""
        folders, objects = [], []
        with self._telling():
            for item in self._client.list_objects(self._objects.bucket, prefix=prefix):
                if item.is_dir:
                    folders.append(item.object_name or "")
                elif item.object_name is not None:
                    objects.append(_facts(item))
        return tuple(folders), tuple(objects)

    def look(self, key: str) -> ObjectFacts | None:
        """One object as it is now; None when it is not there. Raises StoreError."""
        from minio.error import S3Error

        with self._telling(key):
            try:
                return _facts(self._client.stat_object(self._objects.bucket, key))
            except S3Error as error:
                if error.code not in _GONE:
                    raise
                return None

    def read(self, key: str) -> bytes | None:
        """The object's bytes, None when it is not there. Raises StoreError."""
        with self.stream(key) as body:
            return None if body is None else body.read()

    def sha256(self, key: str, *, version: str | None = None) -> str | None:
        """SHA-256 of the object's bytes (hex), streamed; None when it is not there. Raises StoreError.

        `version` is the ID of one of its versions; without it, the one that a reader gets.
        """
        digest = hashlib.sha256()
        with self.stream(key, version) as body:
            if body is None:
                return None
            for chunk in body.stream(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def close(self) -> None:
        """Close the connections; a later request opens others."""
        self._pool.clear()

    @functools.cached_property
    def _pool(self) -> "urllib3.PoolManager":
        import urllib3

        return urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            timeout=urllib3.Timeout(connect=min(self._timeout_s, 5.0), read=self._timeout_s),
            retries=urllib3.Retry(
                connect=1,
                read=0,
                status=2,
                redirect=0,
                other=0,
                backoff_factor=0.2,
                status_forcelist=(502, 503, 504),
                raise_on_status=False,
            ),
        )

    @functools.cached_property
    def _client(self) -> "Minio":
        from minio import Minio

        try:
            return Minio(
                self._objects.endpoint,
                access_key=self._objects.access_key,
                secret_key=self._objects.secret_key,
                secure=self._objects.secure,
                http_client=self._pool,
            )
        except ValueError as error:
            raise StoreError(
                f"`endpoint` of the object storage, {self._objects.endpoint!r}, is not HOST:PORT ({error})"
            ) from error

    @contextlib.contextmanager
    def stream(self, key: str, version: str | None = None) -> Iterator["BaseHTTPResponse | None"]:
        """The answer that streams the object (or a version of it), given back afterwards; None when there is none."""
        with self._telling(key):
            from minio.error import S3Error

            try:
                answer = self._client.get_object(self._objects.bucket, key, version_id=version)
            except S3Error as error:
                if error.code not in _GONE:
                    raise
                yield None
                return
            try:
                yield answer
            finally:
                answer.close()
                answer.release_conn()

    @contextlib.contextmanager
    def _telling(self, key: str | None = None) -> Iterator[None]:
        """Turn what the SDK and urllib3 raise into a StoreError."""
        import urllib3
        from minio.error import InvalidResponseError, MinioException, S3Error

        where = self._where if key is None else f"{self._where}, object {key}"
        try:
            yield
        except S3Error as error:
            mend = _NEXT.get(error.code or "", "look at the server's log")
            raise StoreError(f"{where}: {error.code or 'an error without a code'}; {mend}") from None
        except InvalidResponseError:
            raise StoreError(
                f"{where}: what answers there does not speak S3; correct `endpoint` (the API's port, not the console's)"
            ) from None
        except MinioException as error:
            raise StoreError(f"{where}: {error}; look at the server's log") from None
        except urllib3.exceptions.HTTPError as error:
            raise StoreError(f"{where}: {self._unreachable(error)}") from None
        except ValueError as error:  # the SDK refuses names that S3 does not allow
            raise StoreError(f"{where}: {error}; correct the target file") from None

    def _unreachable(self, error: "urllib3.exceptions.HTTPError") -> str:
        from urllib3 import exceptions

        reason = error.reason if isinstance(error, exceptions.MaxRetryError) else error
        if isinstance(reason, exceptions.NameResolutionError):
            return "the host's name does not resolve; correct `endpoint`"
        if isinstance(reason, exceptions.TimeoutError) and not isinstance(
            reason, exceptions.NewConnectionError
        ):
            return f"timed out after {self._timeout_s:g} s; is it reachable from here, is it overloaded?"
        if isinstance(reason, exceptions.NewConnectionError):
            cause = reason.__cause__
            told = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no connection"
            return f"{told.lower()}; start the storage, or correct `endpoint`"
        if isinstance(reason, exceptions.SSLError):
            return "no TLS connection; does `secure` fit the server, and is its certificate trusted here?"
        return f"the connection broke off ({type(reason).__name__}); look at the server's log, then run this again"


def _facts(item: "Object") -> ObjectFacts:
    return ObjectFacts(
        key=item.object_name or "",
        size=item.size or 0,
        etag=(item.etag or "").strip('"'),
        modified=item.last_modified.timestamp() if item.last_modified else 0.0,
    )
