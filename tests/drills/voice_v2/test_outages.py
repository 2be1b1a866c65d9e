"""What is around the service fails: it says so, answers in time, loses nothing, and recovers."""

from __future__ import annotations

import subprocess
import threading
import time

import psycopg
import pytest

pytestmark = pytest.mark.drill


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


@pytest.fixture(scope="module")
def patient(start_service):
    """A service with DEBUG on, that waits long for its providers."""
    return start_service(DEBUG="true", PROVIDER_TIMEOUT_S="30")


def test_a_provider_that_hangs_is_left_after_the_timeout(calm, world):
    world.modes["openai"] = "hang"
    started = time.monotonic()
    assert calm.client.post("/v1/audio/speech", json={"input": "a"}).headers["x-voice-provider"] == "google"
    assert 2.0 <= time.monotonic() - started < 3.5
    assert "no answer within 1 s" in calm.client.get("/health").json()["providers"]["openai"]["last_error"]


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


def test_a_database_that_was_restarted_costs_no_request(well_again, calm, world, environment):
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'voice-v2%'"
        )
    statuses = [calm.client.post("/v1/audio/speech", json={"input": "a"}).status_code for _ in range(4)]
    assert statuses == [200] * 4


def test_a_missing_bucket_is_unhealthy_and_requests_are_503(well_again, calm, world, rows):
    world.buckets.clear()
    health = _until(calm, "storage", "the bucket voice-files does not exist")
    assert health.status_code == 503
    assert health.json()["system_status"] == "unhealthy"
    answer = calm.client.post("/v1/audio/speech", json={"input": "a"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "storage_unavailable"
    assert "NoSuchBucket" in answer.json()["error"]["message"]


def test_a_missing_table_is_unhealthy(well_again, calm, world, environment):
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ALTER TABLE voice_usage_logs RENAME TO away")
        try:
            health = _until(calm, "database", "the table voice_usage_logs is missing")
        finally:
            connection.execute("ALTER TABLE away RENAME TO voice_usage_logs")
    assert health.status_code == 503


def test_a_request_that_hangs_does_not_keep_it_from_stopping(patient, world):
    world.modes["openai"] = "hang"
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(patient.client.post("/v1/audio/speech", json={"input": "a"}))
    )
    asking.start()
    assert world.asked_once.wait(5)
    seconds, stderr = patient.stop()
    asking.join(5)
    assert seconds < 2.5
    assert "Traceback" not in stderr, stderr
    assert answers[0].status_code == 503
    assert answers[0].json()["error"]["code"] == "shutting_down"
