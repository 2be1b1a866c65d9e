"""Object storage, against a real S3 server."""

import hashlib
import secrets
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import msgspec
import pytest

from target.description import Objects
from target.errors import StoreError
from target.objects import ObjectStore

pytestmark = pytest.mark.drill


@pytest.fixture
def store(s3: Objects) -> Iterator[ObjectStore]:
    opened = ObjectStore(s3)
    yield opened
    opened.close()


@pytest.fixture
def prefix() -> str:
    return f"{secrets.token_hex(4)}/"


def put(store: ObjectStore, key: str, content: bytes) -> None:
    store._client.put_object(store._objects.bucket, key, BytesIO(content), len(content))


def test_what_is_stored_is_listed_and_read(store: ObjectStore, prefix: str) -> None:
    before = time.time()
    put(store, f"{prefix}2026/11/20/a.ogg", b"RIFF" * 1000)
    put(store, f"{prefix}2026/11/21/б и пробел.ogg", b"x")
    put(store, f"{prefix}empty.ogg", b"")
    assert store.exists()
    listed = {facts.key.removeprefix(prefix): facts for facts in store.list(prefix)}
    assert {key: facts.size for key, facts in listed.items()} == {
        "2026/11/20/a.ogg": 4000,
        "2026/11/21/б и пробел.ogg": 1,
        "empty.ogg": 0,
    }
    first = listed["2026/11/20/a.ogg"]
    assert first.etag == hashlib.md5(b"RIFF" * 1000, usedforsecurity=False).hexdigest()
    assert abs(first.modified - before) < 30
    assert store.read(first.key) == b"RIFF" * 1000
    assert store.sha256(first.key) == hashlib.sha256(b"RIFF" * 1000).hexdigest()
    assert store.read(f"{prefix}2026/11/21/б и пробел.ogg") == b"x"


def test_what_is_not_there_is_none(store: ObjectStore, prefix: str) -> None:
    assert store.read(f"{prefix}nowhere.ogg") is None
    assert store.sha256(f"{prefix}nowhere.ogg") is None
    assert list(store.list(prefix)) == []


def test_a_large_object_is_hashed_as_it_streams(store: ObjectStore, prefix: str) -> None:
    content = secrets.token_bytes(3 << 20)
    put(store, f"{prefix}large", content)
    assert store.sha256(f"{prefix}large") == hashlib.sha256(content).hexdigest()


def refusal(objects: Objects, use: Callable[[ObjectStore], object], *, timeout_s: float = 10.0) -> str:
    store = ObjectStore(objects, timeout_s=timeout_s)
    with pytest.raises(StoreError) as caught:
        use(store)
    store.close()
    told = "".join(traceback.format_exception(caught.value, limit=0))
    assert "-canary" not in told
    assert (objects.access_key or "-canary") not in told
    assert "\n" not in str(caught.value)
    return str(caught.value)


def listing(store: ObjectStore) -> list[object]:
    return list(store.list())


def test_each_refusal_says_what_where_and_what_next(s3: Objects) -> None:
    where = f"http://{s3.endpoint}, bucket voice-files"
    wrong_key = msgspec.structs.replace(s3, access_key="nobody")
    assert f"{where}: InvalidAccessKeyId; the server does not know" in refusal(wrong_key, listing)
    wrong_secret = msgspec.structs.replace(s3, secret_key="other-canary")
    assert f"{where}: SignatureDoesNotMatch; the secret key is wrong" in refusal(wrong_secret, listing)
    assert "SignatureDoesNotMatch" in refusal(wrong_secret, ObjectStore.exists)
    assert f"{where}, object a.ogg: SignatureDoesNotMatch" in refusal(
        wrong_secret, lambda store: store.read("a.ogg")
    )
    anonymous = msgspec.structs.replace(s3, access_key="", secret_key="")
    assert f"{where}: AccessDenied; grant s3:ListBucket" in refusal(anonymous, listing)


def test_a_missing_bucket_is_told_from_a_failure(s3: Objects) -> None:
    absent = msgspec.structs.replace(s3, bucket="absent-files")
    store = ObjectStore(absent)
    assert not store.exists()
    store.close()
    assert "bucket absent-files: NoSuchBucket; correct the bucket's name" in refusal(absent, listing)
    assert "NoSuchBucket" in refusal(absent, lambda store: store.read("a"))
    assert "NoSuchBucket" in refusal(absent, lambda store: store.sha256("a"))


def test_a_bucket_name_that_cannot_be_is_told(s3: Objects) -> None:
    assert "correct the target file" in refusal(msgspec.structs.replace(s3, bucket="A B"), listing)


def test_a_server_that_is_down_is_told_at_once(s3: Objects) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = msgspec.structs.replace(s3, endpoint=f"127.0.0.1:{unused.getsockname()[1]}")
        started = time.monotonic()
        assert "connection refused; start the storage" in refusal(down, ObjectStore.exists)
        assert time.monotonic() - started < 3
    nowhere = msgspec.structs.replace(s3, endpoint="no-such-host.invalid:9000")
    assert "does not resolve" in refusal(nowhere, ObjectStore.exists)
    path = msgspec.structs.replace(s3, endpoint="127.0.0.1:9000/minio")
    assert "is not HOST:PORT" in refusal(path, ObjectStore.exists)


def test_a_server_that_never_answers_is_told_in_time(s3: Objects) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = msgspec.structs.replace(s3, endpoint=f"127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert "timed out after 0.3 s" in refusal(hung, ObjectStore.exists, timeout_s=0.3)
        assert time.monotonic() - started < 3


def test_tls_where_there_is_none_is_told(s3: Objects) -> None:
    assert "no TLS connection; does `secure` fit" in refusal(
        msgspec.structs.replace(s3, secure=True), listing
    )


class WebPage(BaseHTTPRequestHandler):
    """A console, not the API: every answer is a page."""

    def do_GET(self) -> None:
        page = b"<html><body>Console</body></html>"
        self.send_response(403)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


def test_a_console_instead_of_the_api_is_told(s3: Objects) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), WebPage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            console = msgspec.structs.replace(s3, endpoint=f"127.0.0.1:{server.server_address[1]}")
            assert "does not speak S3; correct `endpoint`" in refusal(console, listing)
        finally:
            server.shutdown()
            thread.join(timeout=10)


def test_threads_share_a_store(store: ObjectStore, prefix: str) -> None:
    for number in range(4):
        put(store, f"{prefix}{number}", b"x" * number)
    seen: dict[int, bytes | None] = {}
    threads = [
        threading.Thread(target=lambda n=number: seen.update({n: store.read(f"{prefix}{n}")}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert seen == {number: b"x" * number for number in range(4)}


def test_importing_does_not_import_the_sdk() -> None:
    code = "import sys, target.objects; sys.exit('minio' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
