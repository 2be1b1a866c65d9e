"""What the storage of a stack admits of the service's key, as whoever administers the storage says."""

import abc

import urllib3
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException
from minio.minioadmin import MinioAdmin

from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Ports, Secrets
from drills.stacks.storage import BUCKET

ROOT = "storage-root"
_ASK_S = 10.0
_POLICY = "voice"
_REFUSALS = (MinioException, MinioAdminException, urllib3.exceptions.HTTPError)
_READS = ("s3:Get*", "s3:List*")


class Rules(abc.ABC):
    """The rules of a storage. Each takes effect within seconds, and raises StackError when it cannot be set."""

    @abc.abstractmethod
    def admit(self, *, secret_key: str | None = None, writes: bool = True) -> None:
        """Let the service's key in: with its own secret unless another is given, to write unless told otherwise."""

    @abc.abstractmethod
    def fill(self, *, full: bool) -> None:
        """Have no room for another object, or have room again."""


class MinioRules(Rules):
    """MinIO by its admin interface. Nothing binds its root, so the service's key is a user's."""

    def __init__(self, ports: Ports, secrets: Secrets) -> None:
        self._secrets = secrets
        self._admin = MinioAdmin(
            endpoint=f"{LOOPBACK}:{ports.s3}",
            credentials=StaticProvider(ROOT, secrets.s3_root_password),
            secure=False,
            http_client=urllib3.PoolManager(timeout=_ASK_S, retries=False),
        )

    def admit(self, *, secret_key: str | None = None, writes: bool = True) -> None:
        statement = {
            "Effect": "Allow",
            "Action": ["s3:*"] if writes else list(_READS),
            "Resource": ["arn:aws:s3:::*"],
        }
        user = self._secrets.s3_access_key
        try:
            self._admin.policy_add(_POLICY, policy={"Version": "2012-10-17", "Statement": [statement]})
            self._admin.user_add(user, secret_key or self._secrets.s3_secret_key)
            self._admin.policy_set(_POLICY, user=user)
        except _REFUSALS as error:
            raise StackError(f"minio: {str(error)[:200]}") from error

    def fill(self, *, full: bool) -> None:
        try:
            if full:
                self._admin.bucket_quota_set(BUCKET, 1)  # an object of a byte is too much already
            else:
                self._admin.bucket_quota_clear(BUCKET)
        except _REFUSALS as error:
            raise StackError(f"minio: {str(error)[:200]}") from error
