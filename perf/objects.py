"""How long `rollback objects` takes: many small objects compared, some of them restored, on a real S3 server."""

import hashlib
import io
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3
import yaml
from minio import Minio

from target.description import Objects
from target.host import Host
from target.record import ObjectRecord, Record, Records

COUNT, SIZE, WRONG = 10_000, 20_000, 1_000
BUCKET, BACKUP, DATED = "bench-files", "bench-files-backup", "2025-08-02/"
_AT_ONCE = 12


def prepare(objects: Objects, folder: Path) -> Path:
    """Fill two buckets on that server: half of the wrong ones missing, half corrupt; the target file for them."""
    pool = urllib3.PoolManager(timeout=60.0, maxsize=_AT_ONCE)
    client = Minio(
        objects.endpoint,
        access_key=objects.access_key,
        secret_key=objects.secret_key,
        secure=objects.secure,
        http_client=pool,
    )
    for bucket in (BUCKET, BACKUP):
        client.make_bucket(bucket)
    contents = [_content(number) for number in range(COUNT)]

    def put(bucket: str, name: str, content: bytes) -> None:
        client.put_object(bucket, name, io.BytesIO(content), len(content), "audio/ogg")

    def upload(number: int) -> None:
        put(BACKUP, DATED + _key(number), contents[number])
        if number >= WRONG:
            put(BUCKET, _key(number), contents[number])
        elif number % 2:
            put(BUCKET, _key(number), contents[number][::-1])

    _each(upload, range(COUNT))
    pool.clear()
    _record(folder / "state", contents)
    return _describe(objects, folder)


def restored(objects: Objects) -> bool:
    """Whether the bucket holds everything again."""
    client = Minio(objects.endpoint, objects.access_key, objects.secret_key, secure=objects.secure)
    found = {item.object_name: item.etag for item in client.list_objects(BUCKET, recursive=True)}
    return found == {_key(number): _md5(_content(number)) for number in range(COUNT)}


def _key(number: int) -> str:
    return f"tts/2025/08/{number % 28 + 1:02d}/{number:06d}.ogg"


def _content(number: int) -> bytes:
    return random.Random(number).randbytes(SIZE)  # noqa: S311  (the same each time, nothing secret)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _each(work: Callable[[int], None], numbers: Iterable[int]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(work, numbers):
            pass


def _record(state: Path, contents: list[bytes]) -> None:
    manifest = tuple(
        ObjectRecord(_key(number), SIZE, _md5(content), hashlib.sha256(content).hexdigest())
        for number, content in enumerate(contents)
    )
    record = Record(
        name="bench",
        version=None,
        revision=None,
        taken_at="2025-08-02T00:00:00Z",
        taken_by="bench",
        state="healthy",
        objects=manifest,
    )
    Records(Host("local://"), str(state)).save(record)


def _describe(objects: Objects, folder: Path) -> Path:
    secrets = folder / "secrets.env"
    secrets.touch(mode=0o600)
    secrets.write_text(f"ACCESS={objects.access_key}\nSECRET={objects.secret_key}\n", "utf-8")
    described = {
        "name": "bench",
        "secrets_file": secrets.name,
        "state_dir": str(folder / "state"),
        "api": {"url": "http://127.0.0.1:9"},
        "objects": {
            "endpoint": objects.endpoint,
            "secure": objects.secure,
            "access_key": "${ACCESS}",
            "secret_key": "${SECRET}",
            "bucket": BUCKET,
            "backup_bucket": BACKUP,
        },
    }
    path = folder / "objects.yaml"
    path.write_text(yaml.safe_dump(described), "utf-8")
    return path
