"""Providers that fail: retries, fallback, the circuit breaker, and what is said of them."""

from __future__ import annotations

import time
import uuid

import pytest

pytestmark = pytest.mark.drill


def _speak(service, **headers):
    return service.client.post("/v1/audio/speech", json={"input": "Привет"}, headers=headers)


def _names(world):
    return [provider for provider, _, _ in world.asked]


def _count(service, line):
    for each in service.client.get("/metrics").text.splitlines():
        if each.startswith(line + " "):
            return float(each.rsplit(" ", 1)[1])
    raise AssertionError(f"/metrics has no {line}")


def test_a_failing_provider_is_asked_twice_then_the_next_one_answers(calm, world):
    failed = 'voice_provider_requests_total{operation="tts",outcome="error",provider="openai"}'
    switches, failures = _count(calm, "voice_provider_switches_total"), _count(calm, failed)
    world.modes["openai"] = 500
    assert _speak(calm).headers["x-voice-provider"] == "google"
    assert _names(world) == ["openai", "openai", "google"]
    assert _count(calm, "voice_provider_switches_total") == switches + 1
    assert _count(calm, failed) == failures + 2

    seen = calm.client.get("/health").json()
    assert seen["system_status"] == "degraded"
    openai = seen["providers"]["openai"]
    assert openai["status"] == "degraded"
    assert 0 < openai["success_rate"] < 1
    assert openai["last_error"] == "HTTP 500 told: told to fail"


@pytest.mark.parametrize(("mode", "asked"), [(401, 1), (403, 1), (400, 1), (429, 2), (503, 2), ("empty", 1)])
def test_only_what_may_pass_is_tried_again(calm, world, mode, asked):
    world.modes["openai"] = mode
    assert _speak(calm).headers["x-voice-provider"] == "google"
    assert _names(world) == ["openai"] * asked + ["google"]


def test_the_circuit_opens_after_three_failures_and_closes_after_a_success(calm, world):
    world.modes["openai"] = 401
    for _ in range(3):
        assert _speak(calm).status_code == 200
    world.asked.clear()
    assert _speak(calm).headers["x-voice-provider"] == "google"
    assert _names(world) == ["google"]
    assert calm.client.get("/health").json()["providers"]["openai"]["status"] == "unhealthy"

    world.modes.clear()
    deadline = time.monotonic() + 5
    while _speak(calm).headers["x-voice-provider"] != "openai":
        assert time.monotonic() < deadline, "the circuit never closed"
    health = calm.client.get("/health").json()
    assert health["providers"]["openai"]["status"] == "healthy"
    assert health["system_status"] == "healthy"


def test_when_all_fail_the_reasons_are_told_and_logged(calm, world, rows, environment, secrets):
    world.modes |= {"openai": 500, "google": 401, "yandex": 429}
    mark = str(uuid.uuid4())
    answer = _speak(calm, **{"X-Voice-Client": mark})
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert error["code"] == "all_providers_failed"
    assert "openai: HTTP 500 told" in error["message"]
    assert "google: HTTP 401 TOLD: credentials refused" in error["message"]
    assert "yandex: HTTP 429 TOLD" in error["message"]
    assert not [name for name, secret in secrets.items() if secret in answer.text]
    assert "traceback" not in error
    row = ("tts", None, "ru", "error", None, None, None, len("Привет"), mark, error["message"])
    assert rows(mark) == row


def test_when_all_refuse_the_input_it_is_the_callers_fault(calm, world):
    world.modes |= {"openai": 400, "google": 400, "yandex": 400}
    answer = _speak(calm)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "rejected_by_providers"
    assert calm.client.get("/health").json()["system_status"] == "healthy"


def test_when_every_circuit_is_open_the_service_is_unhealthy(calm, world):
    world.modes |= {"openai": 401, "google": 401, "yandex": 401}
    assert [_speak(calm).status_code for _ in range(4)] == [502, 502, 502, 503]
    answer = _speak(calm)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_provider_available"
    health = calm.client.get("/health")
    assert health.status_code == 503
    assert health.json()["system_status"] == "unhealthy"
