"""Writing to the object storage of a target: copies, server-side where they can be, versions, removal."""

import functools
import io
from typing import TYPE_CHECKING, Literal

import msgspec

from target.errors import StoreError
from target.objects import ObjectFacts, ObjectStore

if TYPE_CHECKING:
    from collections.abc import Mapping

Versioning = Literal["", "Enabled", "Suspended"]

LARGE = 64 << 20
_LARGE_S = 600.0
_MOST_BY_ONE_COPY = 5 << 30
_PART = 16 << 20


class Version(msgspec.Struct, frozen=True):
    """A version of an object; a `marker` says that it was deleted then. `id` is `null` for one without versioning."""

    id: str
    size: int
    etag: str
    marker: bool


class WritableStore(ObjectStore):
    """A bucket that may be written to. Threads may share it; every request has a timeout; failures are `StoreError`."""

    def copy_from(self, source: ObjectStore, item: ObjectFacts, key: str) -> None:
        """Put a copy of an object of another bucket under `key`, with its content type and metadata.

        By the server itself where both are on one; else streamed through, a part at a time. Raises StoreError.
        """
        if item.size > LARGE and self._timeout_s < _LARGE_S:
            self._patient.copy_from(source, item, key)
        elif self.server != source.server:
            self._pass_through(source, item, key)
        else:
            self._let_server_copy(source, item, key)

    def write(self, key: str, content: bytes) -> None:
        """Put bytes under a key. Raises StoreError."""
        with self._telling(key):
            self._client.put_object(
                self.bucket,
                key,
                io.BytesIO(content),
                len(content),
                content_type="application/json",
            )

    def remove(self, key: str, version: str | None = None) -> None:
        """Remove an object (where versions are kept: mark it deleted), or one version for good. Raises StoreError."""
        with self._telling(key):
            self._client.remove_object(self.bucket, key, version_id=version)

    def remove_all(self, keys: list[str]) -> None:
        """Remove many objects, a thousand with each request. Raises StoreError when one cannot be removed."""
        from minio.deleteobjects import DeleteObject

        with self._telling():
            for failed in self._client.remove_objects(self.bucket, map(DeleteObject, keys)):
                raise StoreError(f"{self._where}, object {failed.name}: cannot be removed: {failed.message}")

    def versioning(self) -> Versioning:
        """Whether the bucket keeps versions. Raises StoreError."""
        with self._telling():
            status = self._client.get_bucket_versioning(self.bucket).status
        return "Enabled" if status == "Enabled" else "Suspended" if status == "Suspended" else ""

    def versions(self, key: str) -> list[Version]:
        """Every version of one object, deletions included, in no order that one can rely on. Raises StoreError."""
        found = []
        with self._telling(key):
            listed = self._client.list_objects(self.bucket, prefix=key, recursive=True, include_version=True)
            for item in listed:
                if item.object_name == key:
                    etag = (item.etag or "").strip('"')
                    found.append(
                        Version(item.version_id or "null", item.size or 0, etag, bool(item.is_delete_marker))
                    )
        return found

    def close(self) -> None:
        super().close()
        if "_patient" in self.__dict__:
            self._patient.close()

    @functools.cached_property
    def _patient(self) -> "WritableStore":
        """The same for large objects: a server answers only when it has copied the whole of one."""
        return type(self)(self._objects, timeout_s=_LARGE_S)

    def _let_server_copy(self, source: ObjectStore, item: ObjectFacts, key: str) -> None:
        from minio.commonconfig import ComposeSource, CopySource
        from minio.error import S3Error

        with self._telling(key):
            try:
                if item.size <= _MOST_BY_ONE_COPY:
                    self._client.copy_object(self.bucket, key, CopySource(source.bucket, item.key))
                    return
                headers = self._client.stat_object(source.bucket, item.key).metadata or {}
                whole = [ComposeSource(source.bucket, item.key)]
                self._client.compose_object(self.bucket, key, whole, metadata=_metadata(headers))
            except S3Error as error:
                if (error.code or "").startswith("NoSuch") and source.look(item.key) is None:
                    raise _gone(source, item) from None
                raise

    def _pass_through(self, source: ObjectStore, item: ObjectFacts, key: str) -> None:
        with source.stream(item.key) as body:
            if body is None:
                raise _gone(source, item)
            with self._telling(key):
                self._client.put_object(
                    self.bucket,
                    key,
                    body,  # type: ignore[arg-type]  # read() is all that is used of it
                    item.size,
                    content_type=body.headers.get("Content-Type", "application/octet-stream"),
                    metadata=_metadata(body.headers),
                    part_size=_PART,
                    num_parallel_uploads=1,
                )


def _gone(source: ObjectStore, item: ObjectFacts) -> StoreError:
    return StoreError(
        f"{source.server}, bucket {source.bucket}, object {item.key}: it is gone; run this again"
    )


def _metadata(headers: "Mapping[str, str]") -> dict[str, str | list[str] | tuple[str]]:
    """What people wrote about an object, from the headers that it comes with."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower().startswith("x-amz-meta-") or name.lower() in ("content-type", "cache-control")
    }
