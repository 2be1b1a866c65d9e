"""Object storage of a target, by the MinIO SDK."""

from collections.abc import Iterator

import msgspec

from target.description import Objects


class ObjectFacts(msgspec.Struct, frozen=True):
    """An object as a listing shows it; `modified` in seconds since the epoch, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified: float


class ObjectStore:
    """A bucket. Blocking (call from a thread in async code); every request has a timeout; failures are `StoreError`."""

    def __init__(self, objects: Objects, *, timeout_s: float = 10.0) -> None:
        raise NotImplementedError

    def exists(self) -> bool:
        """Whether the bucket is there. Raises StoreError when that cannot be told (refused, down)."""
        raise NotImplementedError

    def list(self, prefix: str = "") -> Iterator[ObjectFacts]:
        """Every object below the prefix. Raises StoreError."""
        raise NotImplementedError

    def read(self, key: str) -> bytes | None:
        """The object's bytes, None when it is not there. Raises StoreError."""
        raise NotImplementedError

    def sha256(self, key: str) -> str | None:
        """SHA-256 of the object's bytes (hex), streamed; None when it is not there. Raises StoreError."""
        raise NotImplementedError
