"""Start and stop: a fresh process, a wrong setting, and ending in time."""

from __future__ import annotations

import subprocess

import pytest

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def fresh(start_service, checkout):
    """A service that was asked nothing yet, with some providers, and without git."""
    (checkout / ".git").rename(checkout / ".git.away")
    try:
        service = start_service(
            VOICE_REVISION="abc123",
            TTS_PROVIDERS="yandex, google",
            STT_PROVIDERS="google",
            OPENAI_API_KEY="",
            DEBUG="true",
        )
    finally:
        (checkout / ".git.away").rename(checkout / ".git")
    return service


def test_a_provider_never_asked_is_healthy_without_a_rate(fresh, world):
    body = fresh.client.get("/health").json()
    assert body["system_status"] == "healthy"
    assert body["providers"]["google"] == {
        "status": "healthy",
        "response_time": None,
        "success_rate": None,
        "last_error": None,
        "stt_priority": 1,
        "tts_priority": 2,
    }


def test_metrics_are_there_from_the_start(fresh, world):
    text = fresh.client.get("/metrics").text
    for operation in ("stt", "tts"):
        for status in ("ok", "rejected", "error"):
            assert f'voice_requests_total{{operation="{operation}",status="{status}"}} 0.0' in text
        assert f'voice_request_seconds_count{{operation="{operation}"}} 0.0' in text
        for provider in ("openai", "google", "yandex"):
            for outcome in ("ok", "error", "timeout", "unauthorized", "rejected"):
                labels = f'operation="{operation}",outcome="{outcome}",provider="{provider}"'
                assert f"voice_provider_requests_total{{{labels}}} 0.0" in text
    assert "voice_provider_switches_total 0.0" in text
    assert "process_resident_memory_bytes" in text


def test_providers_and_their_turns_come_from_the_environment(fresh, world):
    answer = fresh.client.post("/v1/audio/speech", json={"input": "a"})
    assert answer.headers["x-voice-provider"] == "yandex"
    providers = fresh.client.get("/health").json()["providers"]
    turns = {name: (each["stt_priority"], each["tts_priority"]) for name, each in providers.items()}
    assert turns == {"google": (1, 2), "yandex": (None, 1)}


def test_without_git_the_revision_comes_from_the_environment(fresh, world):
    assert fresh.client.get("/health").json()["revision"] == "abc123"


def test_a_wrong_setting_ends_the_start_with_one_line(environment, checkout, service_python):
    command = [str(service_python), "-m", "uvicorn", "app.main:app", "--port", "1"]
    env = {"STT_PROVIDERS": "openai,canary-value"}
    done = subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "voice-v2 cannot start: STT_PROVIDERS is not a list of providers: "
        "choose from openai, google, yandex, each once\n"
    )


def test_debug_shows_tracebacks_and_says_so(fresh, world):
    assert fresh.client.get("/health").json()["debug"] is True
    answer = fresh.client.post("/v1/audio/speech", json={"input": ""})
    assert "Traceback" in answer.json()["error"]["traceback"]


def test_it_is_ready_soon_and_stops_at_once_when_idle(fresh, world):
    assert fresh.ready_s < 5  # about one second on an idle machine
    seconds, stderr = fresh.stop()
    assert seconds < 2
    assert "Traceback" not in stderr
