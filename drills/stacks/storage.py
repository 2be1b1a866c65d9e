"""The object storage of a stack as one reaches it from this machine."""

import urllib3
from minio import Minio
from minio.error import MinioException

from drills.stacks.layout import LOOPBACK, Ports, Secrets

BUCKET = "voice-files"
BACKUP_BUCKET = "voice-files-backup"


def client(ports: Ports, secrets: Secrets, *, timeout_s: float = 10.0) -> Minio:
    """The SDK's client for the stack's storage, each request bounded."""
    pool = urllib3.PoolManager(timeout=timeout_s, retries=False, maxsize=8)
    return Minio(
        f"{LOOPBACK}:{ports.s3}",
        access_key=secrets.s3_access_key,
        secret_key=secrets.s3_secret_key,
        secure=False,
        region="us-east-1",
        http_client=pool,
    )


def make_buckets(ports: Ports, secrets: Secrets) -> str | None:
    """Make the two buckets where they are missing: None when both are there, else why not (yet)."""
    store = client(ports, secrets, timeout_s=3.0)
    try:
        for bucket in (BUCKET, BACKUP_BUCKET):
            if not store.bucket_exists(bucket):
                store.make_bucket(bucket)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        return str(error)[:200]
    return None
