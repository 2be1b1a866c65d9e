import httpx
import pytest

from drills.providers.catalogue import audio
from drills.providers.sound import decode, decode_pcm, encode, resample

TEXT = "Соедините меня с оператором"
OGG = encode(audio("google", "ru-operator"), "ogg")


def synthesize(client: httpx.Client, **fields) -> httpx.Response:
    form = {"text": TEXT, "lang": "ru-RU", "folderId": "b1gtestfolder", **fields}
    return client.post("/speech/v1/tts:synthesize", data=form)


def recognize(client: httpx.Client, data: bytes, **query) -> httpx.Response:
    params = {"lang": "ru-RU", "folderId": "b1gtestfolder", **query}
    return client.post("/speech/v1/stt:recognize", params=params, content=data)


def refused(response: httpx.Response, code: str) -> str:
    assert response.json().keys() == {"error_code", "error_message"}
    assert response.json()["error_code"] == code
    return response.json()["error_message"]


def test_the_usual_synthesis_is_ogg_opus(yandex, recogniser):
    response = synthesize(yandex)
    assert (response.status_code, response.headers["x-stand-in"]) == (200, "voice-v2-rollback")
    clip = decode(response.content)
    assert (clip.container, clip.rate) == ("OGG", 48000)
    assert recogniser.transcribe(clip, "ru") == TEXT


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_headerless_samples_at_three_rates_both_ways(yandex, rate, recogniser):
    spoken = synthesize(yandex, format="lpcm", sampleRateHertz=str(rate))
    assert recogniser.transcribe(decode_pcm(spoken.content, rate), "ru") == TEXT
    heard = recognize(yandex, spoken.content, format="lpcm", sampleRateHertz=rate)
    assert heard.json() == {"result": TEXT}


def test_mp3_is_spoken_and_opus_is_recognised(yandex):
    assert decode(synthesize(yandex, format="mp3").content).container == "MP3"
    assert recognize(yandex, OGG).json() == {"result": TEXT}


def test_silence_is_the_empty_result(yandex):
    assert recognize(yandex, bytes(32000), format="lpcm", sampleRateHertz=16000).json() == {"result": ""}


@pytest.mark.parametrize("codec", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("form", ["oggopus", "lpcm"])
def test_other_files_are_a_bad_request_as_with_the_real_one(yandex, codec, form):
    data = encode(resample(audio("google", "ru-operator"), 48000), codec)
    response = recognize(yandex, data, format=form)
    assert response.status_code == 400
    refused(response, "BAD_REQUEST")


def test_credentials_are_refused_as_yandex_refuses_them(stand_ins, yandex, plain):
    url = f"{stand_ins.yandex}/speech/v1/tts:synthesize"
    nothing = plain.post(url, data={"text": TEXT})
    assert nothing.status_code == 401
    assert "header is missing" in refused(nothing, "UNAUTHORIZED")
    wrong = yandex.post("/speech/v1/stt:recognize", headers={"Authorization": "Api-Key AQVN-wrong"})
    assert wrong.status_code == 401
    assert "Unknown api key" in refused(wrong, "UNAUTHORIZED")
    assert "AQVN-wrong" not in wrong.text
    for response in (synthesize(yandex, folderId="other"), recognize(yandex, OGG, folderId="other")):
        assert response.status_code == 401
        assert "Specified folder ID 'other' does not match" in refused(response, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": "Совсем другой текст"}, "stand-in"),
        ({"text": ""}, "'text'"),
        ({"text": "а" * 5001}, "too long"),
        ({"lang": "de-DE"}, "de-DE"),
        ({"format": "flac"}, "oggopus"),
        ({"format": "lpcm", "sampleRateHertz": "44100"}, "sampleRateHertz"),
        ({"speed": "2.0"}, "speed 1.0 only"),
    ],
)
def test_synthesis_that_cannot_be_done_is_a_bad_request(yandex, fields, says):
    response = synthesize(yandex, **fields)
    assert response.status_code == 400
    assert says in refused(response, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("data", "query", "says"),
    [
        (b"", {}, "empty"),
        (b"fake_audio_data", {}, "ogg header"),
        (b"OggS" + bytes(100), {}, "broken"),
        (b"abc", {"format": "lpcm"}, "odd number of bytes"),
        (OGG, {"lang": "en-US"}, "stand-in"),
        (OGG, {"lang": "de-DE"}, "de-DE"),
        (OGG, {"format": "mp3"}, "unsupported audio format"),
        (bytes(1024 * 1024 + 2), {"format": "lpcm"}, "too large"),
        (bytes(16000 * 31), {"format": "lpcm", "sampleRateHertz": "8000"}, "too long"),
    ],
)
def test_recordings_that_cannot_be_recognised_are_a_bad_request(yandex, data, query, says):
    response = recognize(yandex, data, **query)
    assert response.status_code == 400
    assert says in refused(response, "BAD_REQUEST")


def test_a_form_that_is_not_utf8_is_a_bad_request(yandex):
    assert "UTF-8" in refused(yandex.post("/speech/v1/tts:synthesize", content=b"text=\xff"), "BAD_REQUEST")
