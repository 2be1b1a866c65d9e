import httpx
import pytest

from drills.providers.catalogue import audio
from drills.providers.sound import decode, decode_pcm, encode

TEXT = "Тест системы после отката"


def speech(client: httpx.Client, **fields) -> httpx.Response:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, **fields}
    return client.post("/v1/audio/speech", json={k: v for k, v in body.items() if v is not None})


def transcription(client: httpx.Client, data: bytes, **fields) -> httpx.Response:
    form = {"model": "whisper-1", **fields}
    return client.post("/v1/audio/transcriptions", files={"file": ("a.bin", data)}, data=form)


def wav(phrase: str) -> bytes:
    return encode(audio("google", phrase), "wav")


@pytest.mark.parametrize(
    ("form", "media"),
    [
        ("mp3", "audio/mpeg"),
        ("opus", "audio/opus"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm"),
    ],
)
def test_speech_is_spoken_in_every_format(openai, form, media, recogniser):
    response = speech(openai, response_format=form)
    assert (response.status_code, response.headers["content-type"]) == (200, media)
    assert response.headers["x-stand-in"] == "voice-v2-rollback"
    clip = decode_pcm(response.content, 24000) if form == "pcm" else decode(response.content)
    assert recogniser.transcribe(clip, "ru") == TEXT


def test_the_usual_format_is_mp3(openai):
    assert decode(speech(openai).content).container == "MP3"


@pytest.mark.parametrize("codec", ["wav", "flac", "ogg", "mp3"])
def test_every_codec_is_transcribed(openai, codec):
    response = transcription(openai, encode(audio("yandex", "ru-short"), codec), language="ru")
    assert response.json() == {"text": "Короткий тест"}


def test_transcripts_come_as_text_and_verbose_too(openai):
    assert transcription(openai, wav("en-fox"), response_format="text").text.endswith("lazy dog\n")
    verbose = transcription(openai, wav("en-fox"), response_format="verbose_json").json()
    assert (verbose["language"], verbose["task"]) == ("english", "transcribe")
    assert verbose["duration"] == pytest.approx(audio("google", "en-fox").seconds, abs=0.01)
    assert verbose["segments"][0]["text"] == verbose["text"]


def test_silence_is_the_empty_text(openai):
    assert transcription(openai, encode(decode_pcm(bytes(32000), 16000), "flac")).json() == {"text": ""}


def test_models_are_listed(openai):
    listed = openai.get("/v1/models").json()
    assert listed["object"] == "list"
    assert {"tts-1", "whisper-1"} <= {model["id"] for model in listed["data"]}


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/transcriptions"])
def test_a_wrong_key_is_401_invalid_api_key(openai, path):
    response = openai.post(path, headers={"Authorization": "Bearer sk-wrong"})
    assert response.status_code == 401
    error = response.json()["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "invalid_api_key",
        None,
    )
    assert error["message"].startswith("Incorrect API key provided: ")
    assert "sk-wrong" not in response.text


def test_no_key_is_401(stand_ins, plain):
    response = plain.get(f"{stand_ins.openai}/v1/models")
    assert response.status_code == 401
    assert response.json()["error"]["message"].startswith("You didn't provide an API key.")


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"input": "Совсем другой текст"}, 400, "stand-in"),
        ({"input": ""}, 400, "input"),
        ({"input": None}, 400, "input"),
        ({"model": "tts-9"}, 404, "`tts-9` does not exist"),
        ({"voice": "nobody"}, 400, "alloy"),
        ({"response_format": "aac"}, 400, "mp3"),
        ({"speed": 2.0}, 400, "speed 1.0 only"),
        ({"speed": 9}, 400, "speed"),
    ],
)
def test_speech_that_cannot_be_made_is_refused_in_openais_shape(openai, fields, status, says):
    response = speech(openai, **fields)
    assert response.status_code == status
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert says in error["message"]


@pytest.mark.parametrize(
    ("data", "fields", "status", "says"),
    [
        (b"fake_audio_data", {}, 400, "Invalid file format. Supported formats: ['flac',"),
        (b"", {}, 400, "Invalid file format."),
        (encode(decode_pcm(bytes(100), 8000), "wav"), {}, 400, "too short"),
        (wav("ru-short"), {"language": "de"}, 400, "Invalid language 'de'"),
        (wav("ru-short"), {"language": "en"}, 400, "stand-in"),
        (wav("ru-short"), {"model": "whisper-9"}, 404, "`whisper-9` does not exist"),
        (wav("ru-short"), {"model": ""}, 400, "'model'"),
        (wav("ru-short"), {"response_format": "srt"}, 400, "verbose_json"),
        (bytes(26_214_401), {}, 413, "Maximum content size limit (26214400) exceeded"),
    ],
)
def test_recordings_that_cannot_be_transcribed_are_refused_in_openais_shape(
    openai, data, fields, status, says
):
    response = transcription(openai, data, **fields)
    assert response.status_code == status
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert says in error["message"]


def test_a_request_without_a_file_is_refused(openai):
    response = openai.post("/v1/audio/transcriptions", data={"model": "whisper-1"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file")
    broken = openai.post(
        "/v1/audio/transcriptions", content=b"--x", headers={"Content-Type": "multipart/form-data"}
    )
    assert broken.status_code == 400
    assert "multipart" in broken.json()["error"]["message"]


def test_a_body_that_is_not_json_is_refused(openai):
    response = openai.post("/v1/audio/speech", content=b"{")
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
