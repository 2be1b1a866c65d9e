"""Faults of the storage's server: it does not run, refuses the service's key, takes no more writes."""

import io

import urllib3
from minio.error import MinioException, S3Error

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.stack import Stack
from drills.stacks.storage import BUCKET, make_buckets
from target.wait import Seen, eventually

_READY_S = 30.0
_PROBE = "drill-probe"
_OTHER_SECRET = "rotated-by-somebody-else"  # noqa: S105  (of a storage that lives for a drill)


class StorageDown(Fault, frozen=True):
    """The storage does not run."""

    def inject(self, at: Place) -> None:
        at.stack.supervisor.stop("storage")

    def landed(self, at: Place) -> str:
        try:
            at.stack.store().bucket_exists(BUCKET)
        except (MinioException, urllib3.exceptions.HTTPError):
            return f"nothing answers at port {at.stack.ports.s3}"
        raise FaultError(f"{self.name}: the storage answers")

    def heal(self, at: Place) -> None:
        at.stack.supervisor.start("storage")

        def look() -> Seen:
            complaint = make_buckets(at.stack.ports, at.stack.secrets)
            return Seen(complaint is None, complaint or "")

        waited = eventually(look, deadline_s=_READY_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the storage does not come back: {waited.seen}")
        at.stack.restart_service()


class CredentialsRotated(Fault, frozen=True):
    """The service's key has another secret at the storage."""

    def inject(self, at: Place) -> None:
        at.stack.rules().admit(secret_key=_OTHER_SECRET)

    def landed(self, at: Place) -> str:
        said = _until_refused(at.stack, self.name)
        at.stack.wait_service(status="unhealthy")
        return said

    def heal(self, at: Place) -> None:
        at.stack.rules().admit()
        _until_written(at.stack, self.name)
        at.stack.wait_service()


class ReadOnly(Fault, frozen=True):
    """The service's key may read what is stored, and write nothing."""

    def inject(self, at: Place) -> None:
        at.stack.rules().admit(writes=False)

    def landed(self, at: Place) -> str:
        said = _until_refused(at.stack, self.name)
        if not at.stack.store().bucket_exists(BUCKET):
            raise FaultError(f"{self.name}: the bucket cannot be read")
        return said

    def heal(self, at: Place) -> None:
        at.stack.rules().admit()
        _until_written(at.stack, self.name)


class Full(Fault, frozen=True):
    """The storage has no room for another object."""

    def inject(self, at: Place) -> None:
        at.stack.rules().fill(full=True)

    def landed(self, at: Place) -> str:
        return _until_refused(at.stack, self.name)

    def heal(self, at: Place) -> None:
        at.stack.rules().fill(full=False)
        _until_written(at.stack, self.name)
        at.stack.restart_service()


def _write(stack: Stack) -> None:
    """Write an object and remove it again."""
    store = stack.store()
    store.put_object(BUCKET, _PROBE, io.BytesIO(b"probe"), 5)
    store.remove_object(BUCKET, _PROBE)


def _until_refused(stack: Stack, fault: str) -> str:
    def look() -> Seen:
        try:
            _write(stack)
        except S3Error as error:
            return Seen(True, str(error.code))
        except (MinioException, urllib3.exceptions.HTTPError) as error:  # it is on its way up
            return Seen(False, str(error)[:200])
        return Seen(False, "written")

    waited = eventually(look, deadline_s=_READY_S)
    if not waited.met:
        raise FaultError(f"{fault}: the storage does not refuse another object: {waited.seen}")
    return f"the storage refuses another object: it says {waited.seen}"


def _until_written(stack: Stack, fault: str) -> None:
    def look() -> Seen:
        try:
            _write(stack)
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            return Seen(False, str(error)[:200])
        return Seen(True, "written")

    waited = eventually(look, deadline_s=_READY_S)
    if not waited.met:
        raise FaultError(f"{fault}: the storage takes no object yet: it says {waited.seen}")


_ALL_REQUESTS = ("tts_success_rate", "stt_success_rate")

FAULTS: tuple[Fault, ...] = (
    StorageDown(
        name="storage-down",
        says="the object storage does not run",
        part="storage",
        must=("components_healthy", *_ALL_REQUESTS),
        shows=("components_healthy",),
        scenario=3,
    ),
    CredentialsRotated(
        name="storage-credentials-rotated",
        says="the secret of the service's key was changed at the storage",
        part="storage",
        must=("components_healthy", *_ALL_REQUESTS),
        shows=("components_healthy",),
        scenario=3,
    ),
    ReadOnly(
        name="storage-read-only",
        says="the service's key may only read",
        part="storage",
        must=_ALL_REQUESTS,
        scenario=1,
    ),
    Full(
        name="storage-full",
        says="the storage has no room for another object",
        part="storage",
        must=_ALL_REQUESTS,
        scenario=1,
    ),
)
