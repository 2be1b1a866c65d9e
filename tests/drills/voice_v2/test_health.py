"""GET /health and GET /metrics: true, quick, and silent about secrets."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

pytestmark = pytest.mark.drill


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
    assert started.timestamp() == pytest.approx(psutil.Process(calm.process.pid).create_time(), abs=2)
    assert body["components"]["database"]["status"] == "healthy"
    assert body["components"]["database"]["revision"] == "0003"
    assert body["components"]["storage"]["status"] == "healthy"
    assert list(body["providers"]) == ["openai", "google", "yandex"]


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
