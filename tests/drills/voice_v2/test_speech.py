"""POST /v1/audio/speech: what is spoken, kept, logged and refused."""

from __future__ import annotations

import hashlib
import io

import pytest
import soundfile

pytestmark = pytest.mark.drill


def _speak(service, text="Короткий тест", headers=None, **fields):
    return service.client.post("/v1/audio/speech", json={"input": text, **fields}, headers=headers)


@pytest.mark.parametrize("provider", ["openai", "google", "yandex"])
@pytest.mark.parametrize(
    ("wanted", "content_type", "container", "extension"),
    [
        ("wav", "audio/wav", "WAV", "wav"),
        ("mp3", "audio/mpeg", "MP3", "mp3"),
        ("opus", "audio/ogg", "OGG", "ogg"),
        ("flac", "audio/flac", "FLAC", "flac"),
    ],
)
def test_every_provider_in_every_format_is_kept_and_logged(
    service, world, rows, provider, wanted, content_type, container, extension
):
    others = ",".join({"openai", "google", "yandex"} - {provider})
    headers = {"X-Voice-Skip-Providers": others, "X-Voice-Client": "tests"}
    answer = _speak(service, headers=headers, response_format=wanted)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-voice-provider"] == provider
    found = soundfile.info(io.BytesIO(answer.content))
    assert found.format == container
    assert found.duration == pytest.approx(0.4, abs=0.1)
    key, digest = answer.headers["x-voice-audio-key"], hashlib.sha256(answer.content).hexdigest()
    request_id = answer.headers["x-voice-request-id"]
    assert key.startswith("tts/20")
    assert key.endswith(f"/{request_id}.{extension}")
    assert world.objects[key] == answer.content
    assert world.metadata[key] == digest
    assert rows(request_id) == (
        "tts", provider, "ru", "ok", key, digest, len(answer.content), len("Короткий тест"), "tests", None,
    )  # fmt: skip


def test_the_first_provider_answers_when_all_are_well(service, world):
    assert _speak(service).headers["x-voice-provider"] == "openai"
    assert [asked[:2] for asked in world.asked] == [("openai", "tts")]


@pytest.mark.parametrize(
    ("text", "language", "locale"),
    [("Привет", None, "ru-RU"), ("Hello", None, "en-US"), ("Hello", "ru", "ru-RU")],
)
def test_the_language_follows_the_script_unless_it_is_given(service, world, text, language, locale):
    _speak(
        service, text, {"X-Voice-Skip-Providers": "openai"}, **({"language": language} if language else {})
    )
    assert world.asked[0][2]["languageCode"] == locale


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"input": ""}, "empty"),
        ({"input": "  \n"}, "empty"),
        ({"input": "а" * 4097}, "4096"),
        ({"input": "a", "language": "xx"}, "language"),
        ({"input": "a", "response_format": "aiff"}, "response_format"),
        ({"input": 7}, "input"),
        ({}, "input"),
        ([], "body"),
    ],
)
def test_what_cannot_be_spoken_is_a_400_and_asks_nobody(service, world, body, says):
    answer = service.client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert world.asked == []


def test_a_body_that_is_not_json_is_a_400(service):
    assert service.client.post("/v1/audio/speech", content=b"{").status_code == 400


def test_4096_characters_are_spoken(service, world):
    assert _speak(service, "а" * 4096).status_code == 200


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic token-for-callers", "Bearer токен"])
def test_a_wrong_token_is_a_401_before_anything_is_read(service, world, path, token):
    answer = service.client.post(path, content=b"x" * 100, headers={"Authorization": token.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert world.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Voice-Skip-Providers": "openai,elsewhere"}, 400),
        ({"X-Voice-Skip-Providers": "openai, Google ,yandex"}, 503),
        ({"X-Voice-Client": "c" * 65}, 400),
    ],
)
def test_headers_that_cannot_be_obeyed_are_refused(service, world, headers, status):
    assert _speak(service, headers=headers).status_code == status
    assert world.asked == []


def test_an_unknown_path_has_the_same_shape_of_error(service):
    answer = service.client.get("/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
