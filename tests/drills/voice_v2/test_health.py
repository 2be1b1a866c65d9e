"""GET /health and GET /metrics: true, quick, and silent about secrets."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest


def test_health_says_what_runs(calm, world, checkout):
    answer = calm.client.get("/health", headers={"Authorization": ""})
    assert answer.status_code == 200
    body = answer.json()
    git = ["git", "rev-parse", "HEAD"]
    sha = subprocess.run(
        git, cwd=checkout, capture_output=True, text=True, check=True, timeout=5
    ).stdout.strip()
    assert (body["version"], body["revision"], body["debug"]) == ("2.3.1", sha, False)
    started = dt.datetime.fromisoformat(body["started_at"])
    assert dt.timedelta(0) < dt.datetime.now(dt.UTC) - started < dt.timedelta(minutes=5)
    assert body["components"]["database"]["status"] == "healthy"
    assert body["components"]["database"]["revision"] == "0003"
    assert body["components"]["storage"]["status"] == "healthy"
    assert list(body["providers"]) == ["openai", "google", "yandex"]


def _until(service, component, says):
    """The answer of /health once the component's error is as said."""
    deadline = time.monotonic() + 5
    while True:
        answer = service.client.get("/health")
        error = answer.json()["components"][component]["error"]
        if says in (error or ""):
            return answer
        assert time.monotonic() < deadline, f"{component}: {error!r}, never {says!r}"


@pytest.fixture
def well_again(service):
    """Wait until nothing is wrong any more, so that no later test meets the cached answer."""
    yield
    deadline = time.monotonic() + 5
    while any(each["error"] for each in service.client.get("/health").json()["components"].values()):
        assert time.monotonic() < deadline, "a component stays broken"


def test_a_missing_bucket_is_unhealthy_and_requests_are_503(well_again, calm, world, rows):
    world.buckets.clear()
    health = _until(calm, "storage", "the bucket voice-files does not exist")
    assert health.status_code == 503
    assert health.json()["system_status"] == "unhealthy"
    answer = calm.client.post("/v1/audio/speech", json={"input": "a"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "storage_unavailable"
    assert "NoSuchBucket" in answer.json()["error"]["message"]


def test_storage_that_hangs_is_unhealthy_within_seconds(well_again, calm, world):
    world.modes["storage"] = "hang"
    started = time.monotonic()
    health = _until(calm, "storage", "object storage")
    assert health.elapsed.total_seconds() < 2.5
    assert time.monotonic() - started < 4
    assert health.status_code == 503


def test_a_database_that_is_away_is_unhealthy_and_leaves_no_object(start_service, world):
    service = start_service(DATABASE_URL="postgresql://voice:canary-db-password@127.0.0.1:1/voice")
    health = service.client.get("/health")
    assert health.status_code == 503
    assert "refused" in health.json()["components"]["database"]["error"]
    assert "canary-db-password" not in health.text
    before = set(world.objects)
    answer = service.client.post("/v1/audio/speech", json={"input": "a"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "database_unavailable"
    assert set(world.objects) == before
    assert [asked[0] for asked in world.asked] == ["openai"]


def test_a_schema_that_is_behind_is_told_and_refuses_rows(
    well_again, calm, world, environment, service_python, checkout
):
    def migrate(*where):
        command = [str(service_python), "-m", "alembic", *where]
        subprocess.run(command, cwd=checkout, check=True, timeout=30, capture_output=True)

    migrate("downgrade", "0001")
    try:
        deadline = time.monotonic() + 5
        while calm.client.get("/health").json()["components"]["database"]["revision"] != "0001":
            assert time.monotonic() < deadline, "/health never told the older revision"
        before = set(world.objects)
        answer = calm.client.post("/v1/audio/speech", json={"input": "a"})
        assert answer.status_code == 503
        assert 'column "audio_sha256"' in answer.json()["error"]["message"]
        assert set(world.objects) == before
    finally:
        migrate("upgrade", "head")


def test_a_missing_table_is_unhealthy(well_again, calm, world, environment):
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ALTER TABLE voice_usage_logs RENAME TO away")
        try:
            health = _until(calm, "database", "the table voice_usage_logs is missing")
        finally:
            connection.execute("ALTER TABLE away RENAME TO voice_usage_logs")
    assert health.status_code == 503


def test_hundreds_of_probes_a_second_are_cheap(service, world):
    def some(_):
        return [service.client.get("/health").status_code for _ in range(25)]

    started = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        statuses = [status for part in threads.map(some, range(8)) for status in part]
    assert statuses == [200] * 200
    assert time.monotonic() - started < 2


def test_requests_are_counted_by_how_they_ended(calm, world):
    def counted():
        text = calm.client.get("/metrics").text
        names = [
            f'voice_requests_total{{operation="tts",status="{each}"}}' for each in ("ok", "rejected", "error")
        ]
        names.append('voice_request_seconds_count{operation="tts"}')
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return [float(lines[name]) for name in names]

    before = counted()
    calm.client.post("/v1/audio/speech", json={"input": "a"})
    calm.client.post("/v1/audio/speech", json={"input": ""})
    world.modes |= {"openai": 401, "google": 401, "yandex": 401}
    calm.client.post("/v1/audio/speech", json={"input": "a"})
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 1, 3]


@pytest.mark.parametrize("path", ["/health", "/metrics", "/nothing"])
def test_no_secret_is_ever_shown(service, world, secrets, path):
    text = service.client.get(path).text
    assert not [name for name, secret in secrets.items() if secret in text]
