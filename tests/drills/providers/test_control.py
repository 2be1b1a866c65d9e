import base64
import time

import httpx
import numpy as np
import pytest

from drills.providers.behaviour import Order
from drills.providers.catalogue import audio, find
from drills.providers.control import Control, ControlError
from drills.providers.sound import decode, encode

TEXT = "Короткий тест"
GOOD = encode(audio("openai", "ru-short"), "ogg")


def openai_says(client: httpx.Client, form: str = "wav", **options) -> httpx.Response:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": form}
    return client.post("/v1/audio/speech", json=body, **options)


def openai_hears(client: httpx.Client) -> httpx.Response:
    form = {"model": "whisper-1", "language": "ru"}
    return client.post("/v1/audio/transcriptions", files={"file": ("a.ogg", GOOD)}, data=form)


def google_says(client: httpx.Client) -> httpx.Response:
    voice, config = {"languageCode": "ru-RU"}, {"audioEncoding": "LINEAR16"}
    body = {"input": {"text": TEXT}, "voice": voice, "audioConfig": config}
    return client.post("/v1/text:synthesize", json=body)


def yandex_says(client: httpx.Client) -> httpx.Response:
    return client.post("/speech/v1/tts:synthesize", data={"text": TEXT, "folderId": "b1gtestfolder"})


def test_failures_come_in_each_providers_own_shape(control, openai, google, yandex):
    expected = {
        "unauthorized": (401, "invalid_api_key", "UNAUTHENTICATED", "UNAUTHORIZED"),
        "rate_limited": (429, "rate_limit_exceeded", "RESOURCE_EXHAUSTED", "TOO_MANY_REQUESTS"),
        "server_error": (500, None, "INTERNAL", "INTERNAL_SERVER_ERROR"),
        "unavailable": (503, None, "UNAVAILABLE", "SERVICE_UNAVAILABLE"),
    }
    for mode, (status, openai_code, google_status, yandex_code) in expected.items():
        for name in ("openai", "google", "yandex"):
            control.set(name, mode)
        answers = [openai_says(openai), google_says(google), yandex_says(yandex)]
        assert [a.status_code for a in answers] == [status] * 3
        assert answers[0].json()["error"]["code"] == openai_code
        assert answers[1].json()["error"]["status"] == google_status
        assert answers[2].json()["error_code"] == yandex_code
        if mode == "rate_limited":
            assert [a.headers["retry-after"] for a in answers] == ["1"] * 3
        assert openai.get("/v1/models").status_code == status


def test_healing_one_and_all(control, openai, google):
    control.set("openai", "unavailable")
    control.set("google", "unavailable")
    assert "google" in control.heal("openai").providers
    assert (openai_says(openai).status_code, google_says(google).status_code) == (200, 503)
    assert all(not standing.orders for standing in control.heal().providers.values())
    assert google_says(google).status_code == 200


def test_one_operation_only(control, openai):
    control.set("openai", "server_error", "stt")
    assert (openai_says(openai).status_code, openai_hears(openai).status_code) == (200, 500)
    assert openai.get("/v1/models").status_code == 200


def test_empty_audio_is_zero_bytes_of_audio(control, openai, google, yandex):
    for name in ("openai", "google", "yandex"):
        control.set(name, "empty_audio")
    assert [openai_says(openai).content, yandex_says(yandex).content] == [b"", b""]
    assert google_says(google).json()["audioContent"] == ""
    assert openai_hears(openai).json() == {"text": TEXT}


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "opus"])
def test_silence_is_as_long_as_the_speech_would_be(control, openai, form):
    right = decode(openai_says(openai, form).content)
    control.set("openai", "silence")
    silent = decode(openai_says(openai, form).content)
    assert silent.seconds == pytest.approx(right.seconds, abs=0.1)
    assert np.abs(silent.samples).max() < 1e-4


def test_truncated_audio_is_a_third_of_the_bytes(control, openai, google):
    right = openai_says(openai).content
    control.set("openai", "truncated")
    control.set("google", "truncated")
    assert openai_says(openai).content == right[: len(right) // 3]
    cut = decode(base64.b64decode(google_says(google).json()["audioContent"]))
    assert cut.seconds < audio("google", "ru-short").seconds / 2


@pytest.mark.parametrize(("mode", "language"), [("wrong_words", "ru"), ("wrong_language", "en")])
def test_something_else_is_said_and_heard(control, openai, mode, language, recogniser):
    control.set("openai", mode)
    said = recogniser.hear(decode(openai_says(openai).content)).phrase
    heard = find(openai_hears(openai).json()["text"])
    assert said == heard
    assert said.text != TEXT
    assert said.language == language


def test_flapping_is_alternately_well_and_unavailable(control, openai):
    control.set("openai", "flapping")
    assert [openai_says(openai).status_code for _ in range(4)] == [200, 503, 200, 503]


def test_every_nth_request_only_and_the_counters_tell(control, openai):
    before = control.state().providers["openai"].counters["tts"]
    control.set("openai", "server_error", every=3)
    assert [openai_says(openai).status_code for _ in range(7)] == [200, 200, 500, 200, 200, 500, 200]
    after = control.state().providers["openai"].counters["tts"]
    assert (after.requests - before.requests, after.misbehaved - before.misbehaved) == (7, 2)
    assert control.state().providers["openai"].orders["stt"] == Order("server_error", every=3)


def test_latency_is_obeyed_and_its_absence_too(control, openai):
    control.set("openai", "ok", "tts", latency_s=0.8)
    begin = time.monotonic()
    assert openai_says(openai).status_code == 200
    assert time.monotonic() - begin >= 0.8
    begin = time.monotonic()
    assert openai_hears(openai).status_code == 200
    assert time.monotonic() - begin < 0.8


def test_hanging_never_answers(control, openai):
    control.set("openai", "hang")
    with pytest.raises(httpx.ReadTimeout):
        openai_says(openai, timeout=0.3)
    control.heal()
    assert openai_says(openai).status_code == 200


def test_reset_breaks_off_in_the_middle_of_the_body(control, openai, google):
    control.set("openai", "reset")
    control.set("google", "reset")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        openai_says(openai)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        google_says(google)


def test_the_control_port_says_what_it_is(control):
    assert control.state().stand_in == "voice-v2-rollback"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"mode": "sulk"}, "sulk"),
        ({}, "mode"),
        ({"mode": "ok", "operation": "list"}, "operation"),
        ({"mode": "ok", "latency_s": -1}, "latency_s"),
        ({"mode": "ok", "every": 0}, "every"),
        ({"mode": "ok", "nonsense": 1}, "nonsense"),
        ({"mode": "silence", "operation": "stt"}, "ask it of tts"),
    ],
)
def test_an_order_that_makes_no_sense_is_400_with_one_message(stand_ins, control, body, says, plain):
    url = f"{stand_ins.control}/providers/openai"
    response = plain.put(url, json=body)
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
    assert says in response.json()["error"]
    assert not control.state().providers["openai"].orders


def test_what_is_not_json_and_who_is_not_there(stand_ins, control, plain):
    url = f"{stand_ins.control}/providers/openai"
    assert plain.put(url, content=b"{").status_code == 400
    nobody = plain.put(f"{stand_ins.control}/providers/acme", json={"mode": "ok"})
    assert nobody.status_code == 404
    assert "openai, google, yandex" in nobody.json()["error"]


def test_the_client_says_what_is_wrong(stand_ins, control):
    with pytest.raises(ControlError, match="ask it of tts"):
        control.set("openai", "truncated", "stt")
    with Control("http://127.0.0.1:1") as nobody, pytest.raises(ControlError, match="does not answer"):
        nobody.state()
