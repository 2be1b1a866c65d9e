"""The two buckets of a target as this action and the snapshot use them, and many requests to them at once."""

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import msgspec

from rollback.actions.objects.backups import Backup, Manifest, listing, read_manifest
from rollback.errors import Refused, StepFailed
from rollback.step import Course
from target.description import Objects, Target
from target.errors import TargetError
from target.object_writing import WritableStore
from target.objects import ObjectFacts, ObjectStore

AT_ONCE = 12
_REQUEST_S = 30.0
T = TypeVar("T")
R = TypeVar("R")


class Stores(msgspec.Struct, frozen=True):
    """The bucket that the service uses, and the one with the backups."""

    live: WritableStore
    backup: WritableStore
    pattern: str

    def close(self) -> None:
        """Close the connections."""
        self.live.close()
        self.backup.close()


def lacking(target: Target) -> str:
    """The key of the target file without which there is no backup; empty when there is one."""
    if target.objects is None:
        return "objects"
    return "" if target.objects.backup_bucket else "objects.backup_bucket"


def open_stores(target: Target) -> Stores:
    """The stores, with the key that may write. Connects to nothing. Raises TargetError.

    Raises Refused where the backup is the bucket itself.
    """
    source = target.source or target.name
    objects = target.objects
    if objects is None or objects.backup_bucket is None:
        raise TargetError(
            f"{source}: no `{lacking(target)}`: name the bucket and the bucket with its backups"
        )
    key = objects.write or objects
    live = Objects(
        endpoint=objects.endpoint,
        access_key=key.access_key,
        secret_key=key.secret_key,
        bucket=objects.bucket,
        secure=objects.secure,
    )
    backup = msgspec.structs.replace(live, bucket=objects.backup_bucket)
    if objects.backup is not None:
        other = objects.backup
        backup = Objects(
            endpoint=other.endpoint,
            access_key=other.access_key,
            secret_key=other.secret_key,
            bucket=objects.backup_bucket,
            secure=other.secure,
        )
    if (live.endpoint, live.bucket) == (backup.endpoint, backup.bucket):
        raise Refused(
            f"{source}: `objects.backup_bucket` is the bucket itself, {live.bucket}: name another; nothing was changed"
        )
    return Stores(
        WritableStore(live, timeout_s=_REQUEST_S),
        WritableStore(backup, timeout_s=_REQUEST_S),
        objects.backup_prefix,
    )


class Content:
    """What is in a bucket: listed when it is first looked at. `report` is told how reading goes."""

    def __init__(self, store: ObjectStore, report: Callable[[str], None]) -> None:
        self.store = store
        self.report = report

    @functools.cached_property
    def objects(self) -> dict[str, ObjectFacts]:
        """By key. Raises StoreError."""
        return {facts.key: facts for facts in self.store.list()}

    def sha256(self, keys: Sequence[str]) -> dict[str, str | None]:
        """Raises StoreError."""
        names = [self.objects[key].key for key in keys]
        read = at_once(
            self.store.sha256, names, lambda text: self.report(f"{self.store.bucket}: read {text}")
        )
        return dict(zip(keys, read, strict=True))


class BackupContent(Content):
    """What is in a backup. Hashes that were verified when it was made are believed of what is as it was then."""

    def __init__(
        self, store: ObjectStore, report: Callable[[str], None], backup: Backup, pattern: str
    ) -> None:
        super().__init__(store, report)
        self.backup = backup
        self.pattern = pattern

    @functools.cached_property
    def objects(self) -> dict[str, ObjectFacts]:
        return listing(self.store, self.backup, self.pattern)

    @functools.cached_property
    def manifest(self) -> Manifest | None:
        """The manifest of a snapshot. Raises StoreError."""
        return read_manifest(self.store, self.backup) if self.backup.made == "complete" else None

    @functools.cached_property
    def verified(self) -> dict[str, str]:
        """Hashes that were verified when the backup was made, of what is still what it was then."""
        found = {}
        for item in self.manifest.objects if self.manifest is not None else ():
            there = self.objects.get(item.key)
            if there is not None and (there.size, there.etag) == (item.size, item.etag):
                found[item.key] = item.sha256
        return found

    def sha256(self, keys: Sequence[str]) -> dict[str, str | None]:
        read = super().sha256([key for key in keys if key not in self.verified])
        return {key: self.verified.get(key) or read[key] for key in keys}


def at_once(
    work: Callable[[T], R], items: Iterable[T], report: Callable[[str], None], course: Course | None = None
) -> list[R]:
    """The work on every item, several at a time, in order. The first that raises ends it, and so does `course`.

    Raises StepFailed when the person wants to stop or the deadline has passed.
    """
    items = list(items)
    over = Event()

    def one(item: T) -> R | None:
        return None if over.is_set() else work(item)

    done: list[R] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="objects") as pool:
        try:
            for result in pool.map(one, items):
                _may_go_on(course, len(done), len(items))
                done.append(result)  # type: ignore[arg-type]  # None only once it is over
                report(f"{len(done)} of {len(items)}")
        finally:
            over.set()
    return done


def _may_go_on(course: Course | None, done: int, of: int) -> None:
    if course is None:
        return
    if course.stop():
        raise StepFailed(f"stopped after {done} of {of}")
    if time.monotonic() >= course.deadline:
        raise StepFailed(f"not done in time: {done} of {of}")
