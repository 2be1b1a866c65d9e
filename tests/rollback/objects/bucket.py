"""A bucket with its backup on a real S3 server, a record of what was good, and a target file; no service."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

from minio import Minio
from minio.commonconfig import ENABLED
from minio.deleteobjects import DeleteObject
from minio.versioningconfig import SUSPENDED, VersioningConfig

from target.description import Objects
from target.host import Host
from target.record import ObjectRecord, Record, Records
from tests.rollback.place import Place

GOOD = {f"tts/2026/11/20/{name}.ogg": f"speech {name} ".encode() * 20 for name in ("a", "b", "c", "d", "é e")}
MISSING, CORRUPT, SHORT = (f"tts/2026/11/20/{name}.ogg" for name in "bcd")
NEWER = "tts/2026/11/24/newer.ogg"
DATED = "2026-11-20"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Bucket(Place):
    """`live` and `backup` are the buckets' names."""

    def __init__(self, folder: Path, s3: Objects, name: str) -> None:
        super().__init__(folder)
        self.s3 = s3
        self.client = Minio(
            s3.endpoint, s3.access_key, s3.secret_key, secure=False, region="us-east-1", cert_check=False
        )
        self.live, self.backup = name, f"{name}-backup"
        for bucket in (self.live, self.backup):
            self.client.make_bucket(bucket)

    def reset(self, **target: Any) -> None:  # type: ignore[override]
        """One object missing, two corrupt, one newer than the backup of that day; the others as recorded."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.fill(self.live, {key: content for key, content in GOOD.items() if key != MISSING})
        self.put(self.live, CORRUPT, bytes(byte ^ 1 for byte in GOOD[CORRUPT]))
        self.put(self.live, SHORT, GOOD[SHORT][:50])
        self.put(self.live, NEWER, b"newer")
        self.fill(self.backup, {f"{DATED}/{key}": content for key, content in GOOD.items()})
        self.record()
        self.write_target(**target)

    def write_target(self, **more: Any) -> None:
        objects = {
            "endpoint": self.s3.endpoint,
            "secure": False,
            "access_key": "${ACCESS}",
            "secret_key": "${SECRET}",
            "bucket": self.live,
            "backup_bucket": self.backup,
        }
        data = {
            "name": "tiny",
            "api": {"url": f"http://127.0.0.1:{self.port}"},
            "state_dir": str(self.state),
            "secrets_file": str(self.folder / "secrets.env"),
            "objects": objects | more.pop("objects", {}),
            **more,
        }
        secrets = self.folder / "secrets.env"
        secrets.write_text(f"ACCESS={self.s3.access_key}\nSECRET={self.s3.secret_key}\n")
        secrets.chmod(0o600)
        self.target.write_text(json.dumps(data))

    def record(self, contents: dict[str, bytes] | None = None, *, hashed: bool = True) -> None:
        """Record these objects as the good ones, with their hashes or with their ETags alone."""
        shutil.rmtree(self.state / "records", ignore_errors=True)
        manifest = tuple(
            ObjectRecord(
                key,
                len(content),
                hashlib.md5(content, usedforsecurity=False).hexdigest(),
                sha256(content) if hashed else None,
            )
            for key, content in (GOOD if contents is None else contents).items()
        )
        record = Record(
            name="2.3.1",
            version="2.3.1",
            revision=None,
            taken_at="2026-11-20T12:00:00Z",
            taken_by="t@here",
            state="healthy",
            objects=manifest,
        )
        Records(Host("local://"), str(self.state)).save(record)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.client.put_object(
            bucket, key, io.BytesIO(content), len(content), "audio/ogg", metadata={"who": "tester"}
        )

    def fill(self, bucket: str, contents: dict[str, bytes]) -> None:
        """Make these the only objects of a bucket."""
        listed = self.client.list_objects(bucket, recursive=True, include_version=self.keeps_versions(bucket))
        doomed = [DeleteObject(str(item.object_name), item.version_id) for item in listed]
        assert list(self.client.remove_objects(bucket, doomed)) == []
        for key, content in contents.items():
            self.put(bucket, key, content)

    def contents(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Everything in a bucket below the prefix, read."""
        found = {}
        for item in self.client.list_objects(bucket, prefix=prefix, recursive=True):
            answer = self.client.get_object(bucket, str(item.object_name))
            found[str(item.object_name).removeprefix(prefix)] = answer.read()
            answer.close()
            answer.release_conn()
        return found

    def keeps_versions(self, bucket: str) -> bool:
        return self.client.get_bucket_versioning(bucket).status in ("Enabled", "Suspended")

    def keep_versions(self, status: str) -> None:
        self.client.set_bucket_versioning(
            self.live, VersioningConfig(ENABLED if status == "Enabled" else SUSPENDED)
        )

    def versions(self, bucket: str) -> set[tuple[Any, ...]]:
        """Every version that there is, and which is the one that a reader gets."""
        listed = self.client.list_objects(bucket, recursive=True, include_version=True)
        return {
            (each.object_name, each.version_id, each.etag, each.is_delete_marker, each.is_latest)
            for each in listed
        }

    def inventory(self, folder: Path | None = None) -> dict[str, tuple[Any, ...]]:
        """Every file, and every object of both buckets with its ETag and its time."""
        found = super().inventory(folder)
        for bucket in (self.live, self.backup):
            for item in self.client.list_objects(bucket, recursive=True):
                found[f"s3://{bucket}/{item.object_name}"] = (item.size, item.etag, item.last_modified)
        return found
