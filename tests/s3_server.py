"""An S3 server for the tests: MinIO where it is on PATH, else SeaweedFS from its wheel."""

import contextlib
import json
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import urllib3
from minio import Minio

from target.description import Objects
from tests.servers import answers, free_port, running

_WEED_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc"),
)


@contextlib.contextmanager
def s3_server() -> Iterator[Objects]:
    """A server with the empty bucket `voice-files`."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="voice-v2-s3-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)  # files go while it is being killed
        objects = Objects(
            endpoint=f"127.0.0.1:{free_port()}",
            access_key=secrets.token_hex(8),
            secret_key=f"{secrets.token_hex(12)}-canary",
            bucket="voice-files",
            secure=False,
        )
        minio = shutil.which("minio")
        command = _minio(minio, folder, objects) if minio else _seaweedfs(folder, objects)
        process = stack.enter_context(running(command, folder / "log", stop=signal.SIGKILL))
        answers(lambda: _make_bucket(objects), process, folder / "log")
        yield objects


def _make_bucket(objects: Objects) -> None:
    pool = urllib3.PoolManager(timeout=5.0, retries=False)
    client = Minio(
        objects.endpoint,
        access_key=objects.access_key,
        secret_key=objects.secret_key,
        secure=False,
        http_client=pool,
    )
    try:
        client.make_bucket(objects.bucket)
    finally:
        pool.clear()


def _minio(program: str, folder: Path, objects: Objects) -> list[str]:
    settings = {"MINIO_ROOT_USER": objects.access_key, "MINIO_ROOT_PASSWORD": objects.secret_key}
    configuration = folder / "minio.env"
    configuration.write_text("".join(f"export {name}={value}\n" for name, value in settings.items()))
    return [
        "env",
        *("MINIO_BROWSER=off", "MINIO_UPDATE=off", f"MINIO_CONFIG_ENV_FILE={configuration}"),
        *(program, "server", str(folder / "data"), "--quiet", "--address", objects.endpoint),
    ]


def _seaweedfs(folder: Path, objects: Objects) -> list[str]:
    key = {"accessKey": objects.access_key, "secretKey": objects.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": "voice", "credentials": [key], "actions": actions}]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    ports = (f"-{part}={free_port()}" for part in _WEED_PORTS)
    return [
        str(Path(sys.executable).with_name("weed")),
        *("server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports),
        *("-master.peers=none", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=200"),
        *("-s3", f"-s3.port={objects.endpoint.rpartition(':')[2]}", f"-s3.config={folder}/s3.json"),
        *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket=false"),
    ]
