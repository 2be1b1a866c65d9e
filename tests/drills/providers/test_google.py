import base64

import httpx
import pytest

from drills.providers.catalogue import audio
from drills.providers.sound import decode, decode_pcm, encode, resample

TEXT = "Two cups of coffee without sugar"


def synthesize(client: httpx.Client, text: str = TEXT, language: str = "en-US", **config) -> httpx.Response:
    body = {
        "input": {"text": text},
        "voice": {"languageCode": language},
        "audioConfig": {"audioEncoding": "MP3", **config},
    }
    return client.post("/v1/text:synthesize", json=body)


def recognize(client: httpx.Client, data: bytes, **config) -> httpx.Response:
    body = {
        "config": {"languageCode": "en-US", **config},
        "audio": {"content": base64.b64encode(data).decode()},
    }
    return client.post("/v1/speech:recognize", json=body)


def refused(response: httpx.Response, status: str) -> str:
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (response.status_code, status)
    return error["message"]


@pytest.mark.parametrize(
    ("encoding", "rate", "container"),
    [
        ("LINEAR16", 8000, "WAV"),
        ("LINEAR16", 44100, "WAV"),
        ("MP3", 16000, "MP3"),
        ("OGG_OPUS", 48000, "OGG"),
    ],
)
def test_speech_is_synthesized_in_every_encoding(google, encoding, rate, container, recogniser):
    response = synthesize(google, audioEncoding=encoding, sampleRateHertz=rate)
    assert response.status_code == 200
    assert response.headers["x-stand-in"] == "voice-v2-rollback"
    clip = decode(base64.b64decode(response.json()["audioContent"]))
    assert (clip.container, clip.rate) == (container, rate)
    assert recogniser.transcribe(clip, "en") == TEXT


@pytest.mark.parametrize("codec", ["wav", "flac", "ogg", "mp3"])
def test_every_codec_is_recognized(google, codec):
    result = recognize(google, encode(audio("openai", "en-coffee"), codec)).json()["results"][0]
    assert result["alternatives"][0]["transcript"] == TEXT
    assert 0 < result["alternatives"][0]["confidence"] <= 1
    assert result["languageCode"] == "en-us"


def test_a_telephones_headerless_samples_are_recognized(google):
    pcm = encode(resample(audio("yandex", "ru-order"), 8000), "pcm")
    response = recognize(google, pcm, languageCode="ru-RU", encoding="LINEAR16", sampleRateHertz=8000)
    assert response.json()["results"][0]["alternatives"][0]["transcript"] == "Ваш заказ готов к выдаче"


def test_silence_has_no_results(google):
    response = recognize(google, encode(decode_pcm(bytes(32000), 16000), "wav"))
    assert response.status_code == 200
    assert "results" not in response.json()


def test_voices_are_listed_for_a_key_in_the_query_too(stand_ins, plain):
    url = f"{stand_ins.google}/v1/voices?key=AIza-test-google-0002"
    voices = plain.get(url).json()["voices"]
    assert {code for voice in voices for code in voice["languageCodes"]} == {"ru-RU", "en-US"}


def test_credentials_are_refused_as_google_refuses_them(stand_ins, google, plain):
    no_key = plain.get(f"{stand_ins.google}/v1/voices")
    assert no_key.status_code == 403
    assert "unregistered callers" in refused(no_key, "PERMISSION_DENIED")
    wrong = google.post("/v1/speech:recognize", headers={"x-goog-api-key": "AIza-wrong"})
    assert wrong.status_code == 400
    assert refused(wrong, "INVALID_ARGUMENT") == "API key not valid. Please pass a valid API key."
    assert wrong.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert wrong.json()["error"]["details"][0]["metadata"] == {"service": "speech.googleapis.com"}
    url = f"{stand_ins.google}/v1/voices"
    token = plain.get(url, headers={"Authorization": "Bearer ya29"})
    assert token.status_code == 401
    assert "OAuth 2 access token" in refused(token, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": "Something else entirely"}, "stand-in"),
        ({"text": ""}, "text"),
        ({"language": "de-DE"}, "de-DE"),
        ({"audioEncoding": "AMR"}, "audioEncoding"),
        ({"speakingRate": 1.5}, "speed 1.0 only"),
        ({"audioEncoding": "OGG_OPUS", "sampleRateHertz": 44100}, "sample_rate_hertz"),
        ({"sampleRateHertz": 9999}, "sample_rate_hertz"),
        ({"sampleRateHertz": 1}, "sampleRateHertz"),
    ],
)
def test_synthesis_that_cannot_be_done_is_an_invalid_argument(google, fields, says):
    response = synthesize(google, **fields)
    assert response.status_code == 400
    assert says in refused(response, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("data", "config", "says"),
    [
        (b"fake_audio_data", {}, "bad encoding"),
        (b"", {}, "RecognitionAudio not set"),
        (b"abc", {"encoding": "LINEAR16", "sampleRateHertz": 8000}, "bad encoding"),
        (b"abcd", {"encoding": "LINEAR16"}, "sample_rate_hertz must be set"),
        (encode(audio("openai", "ru-short"), "wav"), {}, "stand-in"),
        (encode(audio("openai", "en-short"), "wav"), {"sampleRateHertz": 8000}, "WAV header `16000`"),
        (encode(audio("openai", "en-short"), "wav"), {"languageCode": "de-DE"}, "de-DE"),
    ],
)
def test_recordings_that_cannot_be_recognized_are_an_invalid_argument(google, data, config, says):
    response = recognize(google, data, **config)
    assert response.status_code == 400
    assert says in refused(response, "INVALID_ARGUMENT")


def test_bodies_that_are_not_what_they_should_be(google):
    assert "JSON" in refused(google.post("/v1/text:synthesize", content=b"<html>"), "INVALID_ARGUMENT")
    body = {"config": {"languageCode": "ru"}, "audio": {"content": "%%%"}}
    assert "Base64" in refused(google.post("/v1/speech:recognize", json=body), "INVALID_ARGUMENT")
