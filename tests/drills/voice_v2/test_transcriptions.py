"""POST /v1/audio/transcriptions: what is heard, kept, logged and refused."""

from __future__ import annotations

import hashlib

import pytest

pytestmark = pytest.mark.drill


def _hear(service, audio, headers=None, **fields):
    return service.client.post(
        "/v1/audio/transcriptions", files={"file": ("a.bin", audio)}, data=fields, headers=headers
    )


def _only(provider):
    return {"X-Voice-Skip-Providers": ",".join({"openai", "google", "yandex"} - {provider})}


@pytest.mark.parametrize("provider", ["openai", "google", "yandex"])
@pytest.mark.parametrize(
    ("container", "codec", "extension"),
    [
        ("WAV", "PCM_16", "wav"),
        ("WAV", "FLOAT", "wav"),
        ("FLAC", "PCM_16", "flac"),
        ("OGG", "OPUS", "ogg"),
        ("OGG", "VORBIS", "ogg"),
        ("MP3", "MPEG_LAYER_III", "mp3"),
    ],
)
def test_every_provider_hears_every_format(
    service, world, rows, make_tone, provider, container, codec, extension
):
    audio = make_tone(container, codec)
    answer = _hear(service, audio, {**_only(provider), "X-Voice-Client": "tests"}, language="ru")

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"text": f"{provider} heard 0.4"}
    assert answer.headers["x-voice-provider"] == provider
    key, request_id = answer.headers["x-voice-audio-key"], answer.headers["x-voice-request-id"]
    assert key.startswith("stt/20")
    assert key.endswith(f"/{request_id}.{extension}")
    assert world.objects[key] == audio
    digest = hashlib.sha256(audio).hexdigest()
    assert rows(request_id) == ("stt", provider, "ru", "ok", key, digest, len(audio), None, "tests", None)


def test_each_provider_gets_only_formats_that_it_reads(service, world, make_tone):
    mp3 = make_tone("MP3", "MPEG_LAYER_III")
    for provider in ("openai", "google", "yandex"):
        _hear(service, mp3, _only(provider))
    (_, _, openai), (_, _, google), (_, _, yandex) = world.asked
    assert openai["format"] == "MP3"
    assert (google["encoding"], google["channels"]) == ("FLAC", 1)
    assert (yandex["format"], yandex["sampleRateHertz"]) == ("lpcm", "16000")
    assert yandex["folderId"] == "folder"


def test_opus_reaches_yandex_as_it_came(service, world, make_tone):
    _hear(service, make_tone("OGG", "OPUS"), _only("yandex"), language="en-US")
    assert world.asked[0][2] == {"lang": "en-US", "folderId": "folder", "format": "oggopus"}


def test_audio_too_long_for_one_provider_goes_to_the_next(service, world, make_tone):
    long = make_tone("OGG", "OPUS", rate=8000, seconds=31)
    answer = _hear(service, long, {"X-Voice-Skip-Providers": "openai"})
    assert answer.headers["x-voice-provider"] == "google"
    answer = _hear(service, long, _only("yandex"))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "rejected_by_providers"
    assert "longer than 30 s" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("audio", "status", "says"),
    [
        (b"", 400, "audio is empty"),
        (b"fake_audio_data", 415, "audio is not a WAV"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", 415, "audio is not a WAV"),
        (b"x" * 300001, 413, "larger than 300000"),
        (b"x" * 400000, 413, "larger than"),
    ],
)
def test_what_cannot_be_heard_is_refused_and_asks_nobody(service, world, audio, status, says):
    answer = _hear(service, audio)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert world.asked == []


def test_a_file_without_sound_and_one_of_another_kind_are_refused(service, world, make_tone):
    assert _hear(service, make_tone("WAV", "PCM_16", seconds=0)).status_code == 400
    assert _hear(service, make_tone("AIFF", "PCM_16")).status_code == 415
    assert world.asked == []


def test_an_unknown_language_a_missing_file_and_another_body_are_400s(service, world, make_tone):
    assert _hear(service, make_tone("WAV", "PCM_16"), language="xx").status_code == 400
    no_file = service.client.post("/v1/audio/transcriptions", files={"other": b"a"})
    assert no_file.status_code == 400
    assert "no file" in no_file.json()["error"]["message"]
    assert service.client.post("/v1/audio/transcriptions", json={}).status_code == 400
    broken = {"Content-Type": "multipart/form-data"}
    assert service.client.post("/v1/audio/transcriptions", content=b"x", headers=broken).status_code == 400
    assert world.asked == []


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(service, world):
    sent = 0

    def endless():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 64_000_000:
            sent += 100_000
            yield b"x" * 100_000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = service.client.post("/v1/audio/transcriptions", content=endless(), headers=kind)
    assert answer.status_code == 413
    assert world.asked == []
