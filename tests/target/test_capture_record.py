"""Capturing a whole record: from real servers, and a small service over HTTP."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from minio import Minio

from target import capture, latency
from target.description import Api, Budget, Database, Objects, Target
from target.errors import RecordError
from target.host import Host
from target.record import Records
from target.service import ServiceStatus

pytestmark = pytest.mark.drill

HOST = Host("local://")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(HOST, str(tmp_path / "state"))


class VoiceService:
    """What a small service answers; `failing` counts requests for speech that get 503 first."""

    def __init__(self) -> None:
        self.url = ""
        self.health: dict[str, Any] = {
            "system_status": "healthy",
            "version": "2.3.1",
            "providers": {
                "openai": {"status": "healthy", "stt_priority": 1, "tts_priority": 2},
                "yandex": {"status": "healthy", "stt_priority": 2, "tts_priority": None},
            },
        }
        self.failing = 0
        self.spoken: list[str] = []
        self.heard = 0
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path == "/health":
            return 200, json.dumps(self.health).encode()
        if path == "/v1/audio/speech":
            with self.lock:
                self.spoken.append(json.loads(body)["input"])
                self.failing -= 1
                failed = self.failing >= 0
            return (503, b"{}") if failed else (200, b"RIFF-audio")
        with self.lock:
            self.heard += b"RIFF-audio" in body
        return 200, b'{"text": "x"}'


@pytest.fixture
def service() -> Iterator[VoiceService]:
    told = VoiceService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(b"")

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["content-length"])))

        def reply(self, body: bytes) -> None:
            with told.lock:
                told.at_once += 1
                told.most_at_once = max(told.most_at_once, told.at_once)
            status, content = told.answer(self.path, body)
            with told.lock:
                told.at_once -= 1
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        server.shutdown()
        thread.join(timeout=10)


def of(deployment: Target, service: VoiceService, **parts: object) -> Target:
    return msgspec.structs.replace(deployment, api=Api(url=service.url), **parts)


async def test_a_record_of_everything(
    deployment: Target, service: VoiceService, records: Records, head: str, database: Database, s3: Objects
) -> None:
    service.health["revision"] = head[:7]
    fill(database, s3)
    lines: list[str] = []
    full = of(
        deployment, service, database=msgspec.structs.replace(database, mark_column="client"), objects=s3
    )
    record = await capture.record(full, HOST, records, lines.append)

    assert (record.name, record.version, record.revision) == (f"2.3.1-{head[:7]}", "2.3.1", head)
    assert (record.state, record.format, record.image_digest) == ("healthy", 1, None)
    assert record.environment == capture.environment(full, HOST, records)
    assert (record.python, record.packages) == capture.packages(full, HOST)
    assert record.code == capture.code(full, HOST)
    assert record.providers == {
        "openai": {"stt_priority": 1, "tts_priority": 2},
        "yandex": {"stt_priority": 2, "tts_priority": None},
    }
    assert record.database is not None
    assert record.database.rows_per_day == {"2026-11-20": 2}
    assert record.database.revision == "0003"
    assert record.objects is not None
    assert [(item.key, item.size, item.sha256) for item in record.objects] == [
        ("a.ogg", 3, hashlib.sha256(b"aaa").hexdigest()),
        ("stray.ogg", 1, None),
    ]
    assert (len(record.latency.tts), len(record.latency.stt)) == (30, 30)
    assert min(record.latency.tts) > 0
    assert sorted(set(service.spoken)) == sorted(latency.TEXTS)
    assert (len(service.spoken), service.heard) == (30, 30)
    assert service.most_at_once <= record.latency.concurrency == 8
    parts = ["health", "code", "environment", "packages", "database", "objects", "latency"]
    assert [line.split(":")[0] for line in lines] == parts
    assert "canary" not in json.dumps(msgspec.to_builtins(record)) + "".join(lines)

    records.save(record)
    assert records.get("2.3.1") == record


def fill(database: Database, s3: Objects) -> None:
    """Two rows of a day that is over and one of today; an object with a hash, one without a row, one of our own."""
    store = Minio(s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, secure=False)
    for item in store.list_objects(s3.bucket, recursive=True):
        store.remove_object(s3.bucket, str(item.object_name))
    for key, content in (("a.ogg", b"aaa"), ("stray.ogg", b"s"), ("own.ogg", b"oo")):
        store.put_object(s3.bucket, key, BytesIO(content), len(content))
    store._http.clear()
    sha256 = hashlib.sha256(b"aaa").hexdigest()
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "INSERT INTO voice_usage_logs (created_at, request_id, operation, status, audio_key, audio_sha256, client) "
            "VALUES ('2026-11-20', gen_random_uuid(), 'tts', 'ok', 'a.ogg', %s, NULL), "
            "('2026-11-20', gen_random_uuid(), 'stt', 'ok', 'own.ogg', NULL, 'rollback-suite'), "
            "(now(), gen_random_uuid(), 'tts', 'error', NULL, NULL, NULL)",
            (sha256,),
        )


async def test_a_bare_target_has_a_bare_record(service: VoiceService, records: Records) -> None:
    service.health = {"system_status": "healthy", "providers": {"openai": "healthy"}}
    bare = Target(name="bare", api=Api(url=service.url))
    record = await capture.record(bare, HOST, records, lambda _: None)
    assert record.name == f"{record.taken_at.replace('-', '').replace(':', '')}"
    assert (record.version, record.revision, record.providers) == (None, None, None)
    assert (record.code, record.database, record.objects, record.packages) == (None, None, None, None)
    assert len(record.latency.tts) == 30


async def test_a_name_that_is_taken_gets_a_number(
    service: VoiceService, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "SAMPLES", 3)
    bare = Target(name="bare", api=Api(url=service.url))
    names = []
    for _ in range(3):
        record = await capture.record(bare, HOST, records, lambda _: None)
        records.save(record)
        names.append(record.name)
    assert names == ["2.3.1", "2.3.1-2", "2.3.1-3"]


async def refusal(target: Target, records: Records) -> str:
    with pytest.raises(RecordError) as caught:
        await capture.record(target, HOST, records, lambda _: None)
    assert records.all() == []
    return str(caught.value)


async def test_what_is_not_healthy_is_not_recorded(
    deployment: Target, service: VoiceService, records: Records
) -> None:
    service.health["system_status"] = "degraded"
    service.health["providers"]["yandex"]["status"] = "unhealthy"
    assert "says 'degraded' (not healthy: yandex); only what is healthy" in await refusal(
        of(deployment, service), records
    )
    assert service.spoken == []


async def test_another_revision_than_the_checkouts_is_not_recorded(
    deployment: Target, service: VoiceService, records: Records, head: str
) -> None:
    service.health["revision"] = "0123456789abcdef"
    told = await refusal(of(deployment, service), records)
    assert f"serves 0123456789ab, and the checkout is at {head[:12]}" in told


async def test_a_broken_environment_file_is_not_recorded(
    deployment: Target, service: VoiceService, records: Records, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_bytes(b'A=1\nB="unterminated\n')
    told = await refusal(of(deployment, service), records)
    assert ".env on local:// is not whole for systemd" in told


async def test_a_service_that_fails_requests_is_not_recorded(
    deployment: Target, service: VoiceService, records: Records
) -> None:
    service.failing = 3
    assert "3 of 30 requests for a synthesis failed, the first with status 503" in await refusal(
        of(deployment, service), records
    )


async def test_the_sample_keeps_the_rate_of_the_budget(service: VoiceService, records: Records) -> None:
    bare = Target(name="b", api=Api(url=service.url), budget=Budget(per_second=100.0, concurrency=2))
    started = time.monotonic()
    record = await capture.record(bare, HOST, records, lambda _: None)
    assert time.monotonic() - started >= 2 * 29 / 100
    assert len(record.latency.stt) == 30
    assert service.most_at_once <= record.latency.concurrency == 2


class Started:
    """A service that was started at that time."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at

    def status(self) -> ServiceStatus:
        return ServiceStatus("running", 1, self.started_at, 0, "")

    def image_digest(self) -> str:
        return "sha256:abc"


async def test_an_environment_changed_after_the_start_is_not_recorded(
    deployment: Target,
    service: VoiceService,
    records: Records,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latency, "SAMPLES", 3)
    changed = (tmp_path / ".env").stat().st_ctime
    monkeypatch.setattr(capture, "service_of", lambda *_: Started(changed - 10))
    assert "was changed after the service started" in await refusal(of(deployment, service), records)
    monkeypatch.setattr(capture, "service_of", lambda *_: Started(changed + 10))
    record = await capture.record(of(deployment, service), HOST, records, lambda _: None)
    assert record.image_digest == "sha256:abc"
