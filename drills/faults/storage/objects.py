"""Faults of what is stored: a bucket or an object that is not what it was."""

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from minio import Minio
from minio.commonconfig import ENABLED
from minio.deleteobjects import DeleteObject
from minio.versioningconfig import SUSPENDED, VersioningConfig

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks import service
from drills.stacks.layout import write_private
from drills.stacks.storage import BUCKET, make_buckets

_AT_ONCE = 6
_MANIFEST = "manifest.json"


class Kept(msgspec.Struct, frozen=True):
    """An object set aside: its bytes lie in `file` of the fault's folder."""

    key: str
    file: str
    sha256: str
    content_type: str
    metadata: dict[str, str]


class Versioned(msgspec.Struct, frozen=True):
    """An object before a version was put over it; `status` is how the bucket kept versions then."""

    key: str
    version_id: str | None
    status: str | None


class Version(msgspec.Struct, frozen=True):
    """One version of an object."""

    version_id: str | None
    newest: bool
    deleted: bool


def keep(store: Minio, keys: list[str], saved: Path, already: Sequence[Kept] = ()) -> list[Kept]:
    """Set objects aside, with a manifest that goes on to name those that are aside already."""

    def one(number: int, key: str) -> Kept:
        facts = store.stat_object(BUCKET, key)
        data = read(store, key)
        file = f"{number:06d}"
        write_private(saved / file, data)
        own = {
            name.lower().removeprefix("x-amz-meta-"): text
            for name, text in (facts.metadata or {}).items()
            if name.lower().startswith("x-amz-meta-")
        }
        digest = hashlib.sha256(data).hexdigest()
        return Kept(key, file, digest, facts.content_type or "application/octet-stream", own)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        kept = [*already, *threads.map(one, range(len(already), len(already) + len(keys)), keys)]
    write_private(saved / _MANIFEST, msgspec.json.encode(kept))
    return kept


def kept_in(saved: Path) -> list[Kept]:
    """What `keep` set aside there."""
    return msgspec.json.decode((saved / _MANIFEST).read_bytes(), type=list[Kept])


def put_back(store: Minio, kept: list[Kept], saved: Path) -> None:
    """Put what was set aside into the bucket again."""

    def one(item: Kept) -> None:
        write(store, item, (saved / item.file).read_bytes())

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(one, kept))


def write(store: Minio, item: Kept, data: bytes) -> None:
    """Write bytes under the name, type and metadata of an object that was set aside."""
    # The SDK's type for metadata is a mutable mapping of more than text.
    metadata: dict[str, str | list[str] | tuple[str]] = dict(item.metadata)
    store.put_object(
        BUCKET, item.key, io.BytesIO(data), len(data), content_type=item.content_type, metadata=metadata
    )


def read(store: Minio, key: str) -> bytes:
    """The bytes of an object."""
    response = store.get_object(BUCKET, key)
    try:
        return bytes(response.read())
    finally:
        response.close()
        response.release_conn()


def an_old_key(store: Minio) -> str:
    """An object of a day that is over: the first by name, which holds the date."""
    for item in store.list_objects(BUCKET, prefix="tts/", recursive=True):
        return str(item.object_name)
    raise FaultError(f"the bucket {BUCKET} holds no speech of the past")


def _versions(store: Minio, key: str) -> list[Version]:
    found = store.list_objects(BUCKET, prefix=key, include_version=True)
    return [
        Version(item.version_id, str(item.is_latest).lower() == "true", item.is_delete_marker)
        for item in found
        if item.object_name == key
    ]


def _keys(store: Minio) -> list[str]:
    return [str(item.object_name) for item in store.list_objects(BUCKET, recursive=True)]


def _empty(fault: str, store: Minio) -> None:
    """Remove every object of the bucket, and every version of it."""
    found = store.list_objects(BUCKET, recursive=True, include_version=True)
    versions = [DeleteObject(str(item.object_name), item.version_id) for item in found]
    failures = list(store.remove_objects(BUCKET, versions))
    if failures:
        raise FaultError(f"{fault}: {len(failures)} objects cannot be removed: {failures[0].message}")


class ObjectCorrupt(Fault, frozen=True):
    """An object of the past has other bytes, and as many of them."""

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        keep(store, [an_old_key(store)], at.saved)

    def inject(self, at: Place) -> None:
        item = kept_in(at.saved)[0]
        data = (at.saved / item.file).read_bytes()
        middle = len(data) // 2
        write(at.stack.store(), item, data[:middle] + bytes(byte ^ 0xFF for byte in data[middle:]))

    def landed(self, at: Place) -> str:
        item = kept_in(at.saved)[0]
        data = read(at.stack.store(), item.key)
        same_size = len(data) == (at.saved / item.file).stat().st_size
        if not same_size or hashlib.sha256(data).hexdigest() == item.sha256:
            raise FaultError(f"{self.name}: {item.key} is whole, or of another size")
        return f"{item.key}: {len(data)} bytes as before, another SHA-256"

    def heal(self, at: Place) -> None:
        put_back(at.stack.store(), kept_in(at.saved), at.saved)


class ObjectMissing(Fault, frozen=True):
    """An object of the past is gone."""

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        keep(store, [an_old_key(store)], at.saved)

    def inject(self, at: Place) -> None:
        at.stack.store().remove_object(BUCKET, kept_in(at.saved)[0].key)

    def landed(self, at: Place) -> str:
        key = kept_in(at.saved)[0].key
        if any(item.object_name == key for item in at.stack.store().list_objects(BUCKET, prefix=key)):
            raise FaultError(f"{self.name}: {key} is there")
        return f"{key} is not in the bucket"

    def heal(self, at: Place) -> None:
        put_back(at.stack.store(), kept_in(at.saved), at.saved)


class ObjectTruncated(Fault, frozen=True):
    """An object of the past ends half-way."""

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        keep(store, [an_old_key(store)], at.saved)

    def inject(self, at: Place) -> None:
        item = kept_in(at.saved)[0]
        data = (at.saved / item.file).read_bytes()
        write(at.stack.store(), item, data[: len(data) // 2])

    def landed(self, at: Place) -> str:
        item = kept_in(at.saved)[0]
        size, whole = len(read(at.stack.store(), item.key)), (at.saved / item.file).stat().st_size
        if size >= whole:
            raise FaultError(f"{self.name}: {item.key} has its {whole} bytes")
        return f"{item.key} has {size} bytes of {whole}"

    def heal(self, at: Place) -> None:
        put_back(at.stack.store(), kept_in(at.saved), at.saved)


class DeleteMarker(Fault, frozen=True):
    """The bucket keeps versions, and the newest of an object of the past says that it is deleted.

    No storage forgets that a bucket has kept versions; healed, one that did not before keeps no more of them.
    """

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        key = an_old_key(store)
        was = Versioned(key, _versions(store, key)[0].version_id, store.get_bucket_versioning(BUCKET).status)
        write_private(at.saved / _MANIFEST, msgspec.json.encode(was))

    def inject(self, at: Place) -> None:
        store = at.stack.store()
        store.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
        store.remove_object(BUCKET, self._was(at).key)

    def landed(self, at: Place) -> str:
        key = self._was(at).key
        newest = next(item for item in _versions(at.stack.store(), key) if item.newest)
        if not newest.deleted:
            raise FaultError(f"{self.name}: the newest version of {key} is an object")
        return f"the newest version of {key} is a delete marker, {newest.version_id}"

    def heal(self, at: Place) -> None:
        store, was = at.stack.store(), self._was(at)
        for item in _versions(store, was.key):
            if item.version_id != was.version_id:
                store.remove_object(BUCKET, was.key, version_id=item.version_id)
        if was.status != ENABLED and store.get_bucket_versioning(BUCKET).status == ENABLED:
            store.set_bucket_versioning(BUCKET, VersioningConfig(SUSPENDED))

    @staticmethod
    def _was(at: Place) -> Versioned:
        return msgspec.json.decode((at.saved / _MANIFEST).read_bytes(), type=Versioned)


class BucketEmptied(Fault, frozen=True):
    """The bucket is there, and nothing is in it any more."""

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        keep(store, _keys(store), at.saved)

    def inject(self, at: Place) -> None:
        _empty(self.name, at.stack.store())

    def landed(self, at: Place) -> str:
        # The service goes on writing: what was there is what must be gone.
        left = {item.key for item in kept_in(at.saved)} & set(_keys(at.stack.store()))
        if left:
            raise FaultError(f"{self.name}: {len(left)} objects are still there")
        return f"none of {len(kept_in(at.saved))} objects is in the bucket {BUCKET}"

    def heal(self, at: Place) -> None:
        put_back(at.stack.store(), kept_in(at.saved), at.saved)


class BucketMissing(Fault, frozen=True):
    """The bucket is gone, with all that was in it."""

    def prepare(self, at: Place) -> None:
        store = at.stack.store()
        keep(store, _keys(store), at.saved)

    def inject(self, at: Place) -> None:
        store, kept = at.stack.store(), kept_in(at.saved)
        # What the service wrote meanwhile would be lost for good, and more of it while the bucket is being emptied.
        at.stack.supervisor.stop(service.NAME)
        try:
            keep(store, sorted(set(_keys(store)) - {item.key for item in kept}), at.saved, kept)
            _empty(self.name, store)
            store.remove_bucket(BUCKET)
        finally:
            at.stack.supervisor.start(service.NAME)
        at.stack.wait_service(status=None)

    def landed(self, at: Place) -> str:
        if at.stack.store().bucket_exists(BUCKET):
            raise FaultError(f"{self.name}: the bucket {BUCKET} is there")
        return f"the storage says that there is no bucket {BUCKET}"

    def heal(self, at: Place) -> None:
        complaint = make_buckets(at.stack.ports, at.stack.secrets)
        if complaint is not None:
            raise FaultError(f"{self.name}: the bucket cannot be made again: {complaint}")
        put_back(at.stack.store(), kept_in(at.saved), at.saved)
        at.stack.restart_service()


FAULTS: tuple[Fault, ...] = (
    BucketMissing(
        name="bucket-missing",
        says="the bucket voice-files is gone, with all that was in it",
        part="storage",
        must=("components_healthy", "tts_success_rate", "stt_success_rate", "bucket_exists"),
        shows=("components_healthy",),
        scenario=1,
    ),
    ObjectCorrupt(
        name="object-corrupt-same-size",
        says="an object of the past has other bytes, and as many of them",
        part="storage",
        must=("objects_match_record",),
        may=("rows_have_objects",),
        scenario=1,
        cure="objects",
    ),
    ObjectTruncated(
        name="object-truncated",
        says="an object of the past ends half-way",
        part="storage",
        must=("objects_match_record", "rows_have_objects"),
        scenario=1,
        cure="objects",
    ),
    BucketEmptied(
        name="bucket-emptied",
        says="nothing is in the bucket any more; the rows are there",
        part="storage",
        must=("objects_match_record", "rows_have_objects"),
        scenario=1,
        cure="objects",
    ),
    ObjectMissing(
        name="object-missing",
        says="an object of the past is gone; its row is there",
        part="storage",
        must=("objects_match_record", "rows_have_objects"),
        scenario=1,
        cure="objects",
    ),
    DeleteMarker(
        name="delete-marker",
        says="the bucket keeps versions, and a delete marker hides an object of the past; its row is there",
        part="storage",
        must=("objects_match_record", "rows_have_objects"),
        scenario=1,
        cure="objects",
    ),
)
