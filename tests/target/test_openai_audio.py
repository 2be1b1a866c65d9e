"""The HTTP flavour sends what the target says, and `/health` is read strictly but with plain words."""

import asyncio
import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP

import msgspec
import pytest

from target.api import Answer, VoiceApi, health_of, open_api
from target.description import Api, ApiHeaders, Target
from target.errors import ApiError, TargetError
from target.host import Host
from target.http import Reply
from target.openai_audio import OpenAiAudio


class Recorder:
    """In place of `Http`: keeps what was asked and gives one reply."""

    def __init__(self):
        self.asked = []

    async def ask(self, method, path, **rest):
        self.asked.append((method, path, rest))
        return Reply(status=418, headers={"x-who": "google"}, body=b"tea", started=1.0, seconds=0.5)

    async def aclose(self):
        self.asked.append("closed")


HEADERS = ApiHeaders(provider="X-Who", mark="X-Mark", skip_providers="X-Skip")


def opened(headers=HEADERS, token="own"):
    target = Target(name="t", api=Api(url="http://127.0.0.1:1", token=token, headers=headers), mark="suite")
    api = open_api(target, Host("local://"))
    assert isinstance(api, OpenAiAudio)
    api._http = Recorder()
    return api, api._http


async def test_speech_request_and_answer():
    api, recorder = opened()
    answer = await api.speak("Привет", "ru", skip=("a", "b"), extra={"input": 5, "more": None})
    ((method, path, rest),) = recorder.asked
    assert (method, path) == ("POST", "/v1/audio/speech")
    assert json.loads(rest["content"]) == {
        "model": "tts-1",
        "input": 5,
        "voice": "alloy",
        "response_format": "wav",
        "language": "ru",
        "more": None,
    }
    headers = {"authorization": "Bearer own", "X-Mark": "suite", "X-Skip": "a,b"}
    assert rest["headers"] == headers | {"content-type": "application/json"}
    assert (answer.status, answer.ok, answer.provider, answer.text(), answer.seconds) == (
        418,
        False,
        "google",
        "tea",
        0.5,
    )


async def test_transcription_request():
    api, recorder = opened()
    await api.transcribe(b"OggS", "a.ogg", "en")
    await api.transcribe(b"?", "b.xyz", None)
    known, unknown = (rest for _, _, rest in recorder.asked)
    assert known["files"] == {"file": ("a.ogg", b"OggS", "audio/ogg")}
    assert known["form"] == {"model": "whisper-1", "response_format": "json", "language": "en"}
    assert unknown["files"]["file"][2] == "application/octet-stream"
    assert "language" not in unknown["form"]


@pytest.mark.parametrize(
    ("own", "token", "sent"),
    [("own", "", "Bearer own"), ("own", None, None), ("own", "x", "Bearer x"), (None, "", None)],
)
async def test_token(own, token, sent):
    api, recorder = opened(token=own)
    await api.speak("a", "en", token=token)
    await api.transcribe(b"a", "a.wav", "en", token=token)
    assert [rest["headers"].get("authorization") for _, _, rest in recorder.asked] == [sent, sent]


async def test_mark_is_on_every_request():
    api, recorder = opened()
    await api.health()
    await api.metrics()
    assert [(path, rest["headers"]["X-Mark"]) for _, path, rest in recorder.asked] == [
        ("/health", "suite"),
        ("/metrics", "suite"),
    ]
    await api.aclose()
    assert recorder.asked[-1] == "closed"


async def test_without_header_names():
    api, recorder = opened(headers=ApiHeaders(), token=None)
    answer = await api.health()
    assert (answer.provider, recorder.asked[0][2]["headers"]) == (None, {})
    with pytest.raises(TargetError, match=r"api\.headers\.skip_providers"):
        await api.speak("a", "en", skip=("a",))


async def test_over_the_wire(tmp_path):
    """The multipart body that arrives is what a server's parser expects."""
    seen = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append((head, await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nX-Who: me\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        api: VoiceApi = OpenAiAudio(Target(name="t", api=Api(url=url, headers=HEADERS)))
        answer = await api.transcribe(b"RIFF\r\n--x", "voice.wav", "ru")
        await api.aclose()
    assert (answer.status, answer.provider) == (200, "me")
    head, body = seen[0]
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head.split(b"\r\n", 1)[1] + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert parts["file"].get_payload(decode=True) == b"RIFF\r\n--x"
    assert parts["file"].get_filename() == "voice.wav"
    assert parts["language"].get_payload() == "ru"


def answer_of(body, status=200, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, seconds=0.1, started=0.0, body=body, headers=headers)


def test_health_is_read():
    health = health_of(
        answer_of(
            {
                "system_status": "degraded",
                "version": "2.3.1",
                "revision": None,
                "providers": {
                    "openai": {"status": "healthy", "response_time": 1, "odd": []},
                    "google": "down",
                },
                "uptime": 5,
            },
            status=503,
        )
    )
    assert (health.system_status, health.version, health.revision) == ("degraded", "2.3.1", None)
    assert health.providers["openai"].response_time == 1
    assert health.providers["google"].status == "down"
    assert health.more == {"uptime": 5}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answer_of(b"<!doctype html>"), "HTML, not /health JSON: is api.url the service itself?"),
        (answer_of(b"\n <html>", 404), "answers 404 with HTML"),
        (answer_of(b"hi", **{"content-type": "text/HTML"}), "HTML"),
        (answer_of(b""), "answers 200 with nothing, not JSON"),
        (answer_of(b"OK"), "with 'OK', not JSON"),
        (answer_of(b"\xff\xfe{"), "not JSON"),
        (answer_of(b"[" * 100000), "not JSON"),
        (answer_of([1]), "a list, not a JSON object"),
        (answer_of("x"), "text, not a JSON object"),
        (answer_of({}), "no system_status (it has: nothing)"),
        (
            answer_of({"detail": "Not Found"}, 404),
            "answers 404 with JSON but no system_status (it has: detail)",
        ),
        (answer_of({"system_status": 1}), "system_status must be text, not a number"),
        (answer_of({"system_status": "x", "version": 2.3}), "version must be text, not a number"),
        (
            answer_of({"system_status": "x", "providers": []}),
            "providers must map names to their state, not be a list",
        ),
        (
            answer_of({"system_status": "x", "providers": {"a": 1}}),
            "providers.a must be an object, not a number",
        ),
        (
            answer_of({"system_status": "x", "providers": {"a": {"response_time": "fast"}}}),
            "providers.a: response_time must be a number, not text",
        ),
        (
            answer_of({"system_status": "x", "providers": {"a": {"success_rate": True}}}),
            "success_rate must be a number, not true or false",
        ),
        (
            answer_of(b"", 307, location="https://a/health"),
            "a redirect to https://a/health: name that in api.url",
        ),
    ],
)
def test_health_that_cannot_be_judged(answer, says):
    with pytest.raises(ApiError) as caught:
        health_of(answer)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_answer_text_is_cut():
    assert len(answer_of("я" * 1000).text(10)) == 10
    assert msgspec.structs.replace(answer_of(b"\xff"), status=204).text() == "\ufffd"
