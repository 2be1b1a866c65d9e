"""Each provider is asked in its own wire format, and each way of saying no is told apart."""

import asyncio
import base64
import contextlib
import json
import struct
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from target.description import Provider
from target.errors import TargetError
from target.provider import ProviderClient
from target.wire import Google, OpenAi, Yandex

KEY = "canary-key-123456"
ENVIRONMENT = {"KEY": KEY, "FOLDER": "b1gfolder", "DATABASE_URL": "postgresql://u:canary-password@h/b"}


class Seen(msgspec.Struct):
    """A request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@contextlib.asynccontextmanager
async def provider(kind, status=200, body=b"", **more):
    """A server that gives one answer to everything, a client for it, and what was asked."""
    seen = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                parts = urlsplit(target)
                seen.append(Seen(method, parts.path, dict(parse_qsl(parts.query)), headers, content))
                writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        described = Provider(name=f"my-{kind}", kind=kind, key="KEY", url=url, **more)
        client = ProviderClient(described, ENVIRONMENT, timeout_s=5)
        try:
            yield client, seen
        finally:
            await client.aclose()


def dumped(value):
    return json.dumps(value).encode()


def opus(rate):
    return b"OggS" + bytes(24) + b"OpusHead\x01\x01\x38\x01" + struct.pack("<I", rate) + bytes(50)


async def test_openai():
    async with provider("openai", body=dumped({"text": " Привет "})) as (client, seen):
        asked = await client.transcribe(b"OggS-audio", "ru")
        assert (asked.provider, asked.operation, asked.status, asked.problem) == (
            "my-openai",
            "stt",
            200,
            None,
        )
        assert asked.text == "Привет"
        await client.speak("Привет", "ru")
        await client.credentials()
    paths = [(one.method, one.path) for one in seen]
    assert paths == [
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/audio/speech"),
        ("GET", "/v1/models"),
    ]
    assert {one.headers["authorization"] for one in seen} == {f"Bearer {KEY}"}
    assert b"OggS-audio" in seen[0].body
    assert b'name="language"\r\n\r\nru' in seen[0].body
    spoken = json.loads(seen[1].body)
    assert spoken == {"model": "tts-1", "input": "Привет", "voice": "alloy", "response_format": "wav"}


async def test_google():
    results = {
        "results": [{"alternatives": [{"transcript": "a "}]}, {}, {"alternatives": [{"transcript": "b"}]}]
    }
    async with provider("google", body=dumped(results)) as (client, seen):
        assert (await client.transcribe(opus(16000), "ru")).text == "a b"
        await client.transcribe(opus(44100), "en")
        await client.transcribe(b"?", "de-DE")
        await client.credentials()
    configs = [json.loads(one.body)["config"] for one in seen[:3]]
    assert [config["sampleRateHertz"] for config in configs] == [16000, 48000, 48000]
    assert [config["languageCode"] for config in configs] == ["ru-RU", "en-US", "de-DE"]
    assert json.loads(seen[0].body)["audio"]["content"] == base64.b64encode(opus(16000)).decode()
    assert {one.headers["x-goog-api-key"] for one in seen} == {KEY}
    assert {tuple(one.query) for one in seen} == {()}
    assert [one.path for one in seen[2:]] == ["/v1/speech:recognize", "/v1/voices"]


async def test_google_speech():
    body = dumped({"audioContent": base64.b64encode(b"RIFF").decode()})
    async with provider("google", body=body) as (client, seen):
        assert (await client.speak("hi", "en")).audio == b"RIFF"
    assert seen[0].path == "/v1/text:synthesize"
    assert json.loads(seen[0].body) == {
        "input": {"text": "hi"},
        "voice": {"languageCode": "en-US"},
        "audioConfig": {"audioEncoding": "LINEAR16"},
    }


async def test_yandex():
    async with provider("yandex", body=dumped({"result": "да"}), folder="FOLDER") as (client, seen):
        assert (await client.transcribe(b"OggS", "ru")).text == "да"
        assert (await client.speak("Привет", "en")).audio == dumped({"result": "да"})
        assert (await client.credentials()).operation == "credentials"
    assert {one.headers["authorization"] for one in seen} == {f"Api-Key {KEY}"}
    assert seen[0].query == {"lang": "ru-RU", "format": "oggopus", "folderId": "b1gfolder"}
    assert seen[0].body == b"OggS"
    form = dict(parse_qsl(seen[1].body.decode()))
    assert form == {
        "text": "Привет",
        "lang": "en-US",
        "voice": "john",
        "format": "oggopus",
        "folderId": "b1gfolder",
    }
    assert [one.path for one in seen] == [
        "/speech/v1/stt:recognize",
        "/speech/v1/tts:synthesize",
        "/speech/v1/tts:synthesize",
    ]


def test_own_addresses():
    openai, google = OpenAi("k", None), Google("k", None)
    yandex = Yandex("k", None, None)
    assert openai.credentials().base == "https://api.openai.com"
    assert google.speak("a", "en").base == "https://texttospeech.googleapis.com"
    assert google.transcribe(b"", "en").base == "https://speech.googleapis.com"
    assert yandex.speak("a", "ru").base == "https://tts.api.cloud.yandex.net"
    assert yandex.transcribe(b"", "ru").base == "https://stt.api.cloud.yandex.net"
    assert OpenAi("k", "https://gateway/openai/v1/").credentials().base == "https://gateway/openai"
    assert Yandex("t1.iam", None, None).speak("a", "ru").headers == {"authorization": "Bearer t1.iam"}


GOOGLE_BAD_KEY = {
    "code": 400,
    "message": "API key not valid. Please pass a valid API key.",
    "status": "INVALID_ARGUMENT",
    "details": [{"reason": "API_KEY_INVALID"}],
}


@pytest.mark.parametrize(
    ("kind", "status", "body", "refused", "says"),
    [
        (
            "openai",
            401,
            {"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {KEY}."}},
            True,
            "401 invalid_api_key Incorrect API key provided: ••••.",
        ),
        (
            "openai",
            401,
            {"error": {"type": "invalid_request_error", "message": "provided: sk-ab*****wxyz."}},
            True,
            "401 invalid_request_error provided: ••••.",
        ),
        ("openai", 403, {}, True, "403 {}"),
        (
            "openai",
            429,
            {"error": {"code": "rate_limit_exceeded", "message": "slow\ndown"}},
            False,
            "429 rate_limit_exceeded slow down",
        ),
        ("openai", 500, {"error": "text"}, False, '500 {"error": "text"}'),
        ("openai", 400, {"error": {"code": "invalid_api_key"}}, True, "400 invalid_api_key"),
        (
            "google",
            400,
            {"error": GOOGLE_BAD_KEY},
            True,
            "400 INVALID_ARGUMENT API_KEY_INVALID API key not valid.",
        ),
        (
            "google",
            400,
            {"error": {"status": "INVALID_ARGUMENT", "message": "bad encoding"}},
            False,
            "400 INVALID_ARGUMENT bad encoding",
        ),
        (
            "google",
            403,
            {"error": {"status": "PERMISSION_DENIED", "message": "no"}},
            True,
            "403 PERMISSION_DENIED no",
        ),
        ("google", 503, {"error": {"status": "UNAVAILABLE", "details": "odd"}}, False, "503 UNAVAILABLE"),
        (
            "yandex",
            401,
            {"error_code": "UNAUTHORIZED", "error_message": "Unknown api key"},
            True,
            "401 UNAUTHORIZED Unknown api key",
        ),
        ("yandex", 400, {"error_code": "BAD_REQUEST", "error_message": "no"}, False, "400 BAD_REQUEST no"),
        ("yandex", 429, {"code": 8, "message": "quota"}, False, "429 8 quota"),
    ],
)
async def test_how_they_say_no(kind, status, body, refused, says):
    async with provider(kind, status=status, body=dumped(body)) as (client, _):
        for asked in (
            await client.credentials(),
            await client.speak("a", "en"),
            await client.transcribe(b"a", "en"),
        ):
            assert (asked.status, asked.refused) == (status, refused)
            assert asked.problem is not None
            assert says in asked.problem
            assert "canary" not in asked.problem
            assert "\n" not in asked.problem


@pytest.mark.parametrize("kind", ["openai", "google", "yandex"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 99999,
        b"[]",
        b"{}x",
        b"\xff\xfe",
        b'{"error": []}',
        b'{"results": 5, "text": 5}',
    ],
)
@pytest.mark.parametrize("status", [200, 302, 502])
async def test_nonsense_never_raises(kind, body, status):
    async with provider(kind, status=status, body=body) as (client, _):
        asked = await client.transcribe(b"a", "en")
        assert asked.status == status
        silence = kind == "google" and status == 200 and body == b'{"error": []}'
        assert (asked.problem is None) is silence
        spoken = await client.speak("a", "en")
        assert (spoken.problem is None) is (status == 200 and kind != "google" and body != b"")


async def test_silence_is_no_problem():
    async with provider("google", body=b"{}") as (client, _):
        asked = await client.transcribe(b"a", "ru")
        assert (asked.text, asked.problem) == ("", None)


async def test_no_audio_is_a_problem():
    async with provider("google", body=dumped({"audioContent": ""})) as (client, _):
        assert (await client.speak("a", "ru")).problem == "200, but the answer has no audio"
    async with provider("google", body=dumped({"audioContent": "?"})) as (client, _):
        assert (await client.speak("a", "ru")).problem == "200, but audioContent is not base64"


async def test_no_answer_at_all():
    described = Provider(name="a", kind="google", key="KEY", url="http://127.0.0.1:9")
    client = ProviderClient(described, ENVIRONMENT)
    asked = await client.credentials()
    await client.aclose()
    assert (asked.status, asked.refused) == (0, False)
    assert asked.problem == "GET http://127.0.0.1:9/v1/voices: connection refused; nothing listens there"


async def test_a_key_with_a_carriage_return():
    described = Provider(name="a", kind="openai", key="KEY", url="http://127.0.0.1:9")
    client = ProviderClient(described, {"KEY": "canary-key\r"})
    asked = await client.credentials()
    await client.aclose()
    assert asked.problem is not None
    assert "header authorization holds what HTTP does not allow" in asked.problem
    assert "canary" not in asked.problem


async def test_many_at_once():
    async with provider("yandex", body=b"OggS") as (client, seen):
        asked = await asyncio.gather(*(client.speak(f"text {n}", "en") for n in range(20)))
    assert [one.problem for one in asked] == [None] * 20
    assert len(seen) == 20


@pytest.mark.parametrize(
    ("environment", "kind", "says"),
    [
        ({}, "openai", "provider p: KEY is not in the service's environment"),
        ({"KEY": ""}, "openai", "KEY is empty in"),
        ({"KEY": "k"}, "yandex", "FOLDER is not in"),
        ({"KEY": '{"type": "service_account"}', "FOLDER": "f"}, "google", "holds a service account"),
        ({"KEY": "/etc/google.json", "FOLDER": "f"}, "google", "holds a service account"),
    ],
)
def test_credentials_that_are_not_there(environment, kind, says):
    with pytest.raises(TargetError, match=says):
        ProviderClient(Provider(name="p", kind=kind, key="KEY", folder="FOLDER"), environment)
