"""A small world for the service: a real PostgreSQL, and one server that plays the bucket and the providers."""

from __future__ import annotations

import base64
import io
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
import numpy as np
import psycopg
import pytest
import soundfile
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "token-for-callers"
SECRETS = {
    "API_TOKEN": TOKEN,
    "S3_SECRET_KEY": "canary-s3-secret",
    "OPENAI_API_KEY": "canary-openai-key",
    "GOOGLE_API_KEY": "canary-google-key",
    "YANDEX_API_KEY": "canary-yandex-key",
    "DATABASE_PASSWORD": "canary-database-password",
}
_COMMAND = ("-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--no-access-log")
_COLUMNS = (
    "operation, provider, language, status, audio_key, audio_sha256, audio_bytes, characters, client, error"
)
_ENCODED = {
    "wav": ("WAV", "PCM_16"),
    "LINEAR16": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "oggopus": ("OGG", "OPUS"),
    "OGG_OPUS": ("OGG", "OPUS"),
}


def tone(container: str, codec: str, rate: int = 24000, seconds: float = 0.4) -> bytes:
    """A file with a sound in it."""
    out = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * 440 / rate)
    soundfile.write(out, samples, rate, format=container, subtype=codec)
    return out.getvalue()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class World:
    """What the service sees outside itself, and how it is told to misbehave.

    `modes` maps a provider to an HTTP status, or to "hang" or "empty"; `asked` lists (provider, operation,
    query and fields of the request) in order; `objects` is the bucket, whose mode is
    "storage"; `asked_once` is set by the first request.
    """

    url: str = ""
    modes: dict[str, int | str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=lambda: {"voice-files"})
    hang: threading.Event = field(default_factory=threading.Event)
    asked_once: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """As new, but for the address."""
        self.modes.clear()
        self.asked.clear()
        self.asked_once.clear()
        self.buckets = {"voice-files"}

    async def misbehave(self, provider: str) -> Response | None:
        """The wrong answer that the provider was told to give, if any."""
        self.asked_once.set()
        mode = self.modes.get(provider)
        if mode == "hang":
            await anyio.to_thread.run_sync(self.hang.wait, 20)
            return Response(status_code=500)
        if mode == "empty":
            return Response(b"")
        if isinstance(mode, int):
            body = {
                "error": {"message": "told to fail", "code": "told", "status": "TOLD"},
                "error_code": "TOLD",
            }
            return JSONResponse(body, mode)
        return None


def _providers(world: World) -> list[Route]:
    async def openai_tts(request: Request) -> Response:
        body = await request.json()
        world.asked.append(("openai", "tts", body))
        wrong = await world.misbehave("openai")
        if request.headers["authorization"] != f"Bearer {SECRETS['OPENAI_API_KEY']}":
            return Response(status_code=401)
        return wrong or Response(tone(*_ENCODED[body["response_format"]]))

    async def openai_stt(request: Request) -> Response:
        async with request.form() as form:
            heard = soundfile.info(io.BytesIO(await form["file"].read()))
            world.asked.append(
                ("openai", "stt", {"format": heard.format, "language": str(form.get("language"))})
            )
        return await world.misbehave("openai") or JSONResponse({"text": f"openai heard {heard.duration:.1f}"})

    async def google_tts(request: Request) -> Response:
        body = await request.json()
        world.asked.append(("google", "tts", body["audioConfig"] | body["voice"]))
        audio = tone(*_ENCODED[body["audioConfig"]["audioEncoding"]])
        assert request.headers["x-goog-api-key"] == SECRETS["GOOGLE_API_KEY"]
        wrong = await world.misbehave("google")
        return wrong or JSONResponse({"audioContent": base64.b64encode(audio).decode()})

    async def google_stt(request: Request) -> Response:
        body = await request.json()
        heard = soundfile.info(io.BytesIO(base64.b64decode(body["audio"]["content"])))
        world.asked.append(("google", "stt", body["config"] | {"channels": heard.channels}))
        text = f"google heard {heard.duration:.1f}"
        results = [{"alternatives": [{"transcript": text, "confidence": 0.9}]}]
        return await world.misbehave("google") or JSONResponse({"results": results})

    async def yandex_tts(request: Request) -> Response:
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        world.asked.append(("yandex", "tts", fields))
        if fields["format"] == "lpcm":
            audio = (np.sin(np.arange(19200) / 10) * 9000).astype("<i2").tobytes()
        else:
            audio = tone(*_ENCODED[fields["format"]])
        return await world.misbehave("yandex") or Response(audio)

    async def yandex_stt(request: Request) -> Response:
        query, body = dict(request.query_params), await request.body()
        world.asked.append(("yandex", "stt", query))
        if query["format"] == "lpcm":
            seconds = len(body) / 2 / int(query["sampleRateHertz"])
        else:
            seconds = soundfile.info(io.BytesIO(body)).duration
        return await world.misbehave("yandex") or JSONResponse({"result": f"yandex heard {seconds:.1f}"})

    return [
        Route("/v1/audio/speech", openai_tts, methods=["POST"]),
        Route("/v1/audio/transcriptions", openai_stt, methods=["POST"]),
        Route("/v1/text:synthesize", google_tts, methods=["POST"]),
        Route("/v1/speech:recognize", google_stt, methods=["POST"]),
        Route("/speech/v1/tts:synthesize", yandex_tts, methods=["POST"]),
        Route("/speech/v1/stt:recognize", yandex_stt, methods=["POST"]),
    ]


def _bucket(world: World) -> list[Route]:
    async def bucket(request: Request) -> Response:
        if request.path_params["bucket"] not in world.buckets:
            return Response("<Error><Code>NoSuchBucket</Code></Error>", 404, media_type="application/xml")
        wrong = await world.misbehave("storage")
        return wrong or Response('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')

    async def an_object(request: Request) -> Response:
        key = request.path_params["key"]
        if request.path_params["bucket"] not in world.buckets:
            return Response("<Error><Code>NoSuchBucket</Code></Error>", 404, media_type="application/xml")
        if request.method == "PUT":
            world.objects[key] = await request.body()
            world.metadata[key] = request.headers["x-amz-meta-sha256"]
        elif request.method == "DELETE":
            world.objects.pop(key, None)
            return Response(status_code=204)
        return Response(headers={"ETag": '"0"'})

    return [
        Route("/{bucket}", bucket, methods=["GET", "HEAD"]),
        Route("/{bucket}/{key:path}", an_object, methods=["PUT", "DELETE"]),
    ]


@pytest.fixture(scope="session")
def the_world() -> Iterator[World]:
    """The bucket and the providers, served from a thread."""
    world = World()
    port = free_port()
    app = Starlette(routes=_providers(world) + _bucket(world))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    world.url = f"http://127.0.0.1:{port}"
    _await(lambda: server.started, 5, "the stand-in server did not start")
    yield world
    world.hang.set()
    server.should_exit = True
    thread.join(5)


@pytest.fixture
def world(the_world: World) -> Iterator[World]:
    """The bucket and the providers, well-behaved again after each test."""
    the_world.reset()
    yield the_world
    the_world.hang.set()
    the_world.hang.clear()
    the_world.reset()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, service_source: Path) -> Path:
    """The service's tree as a git repository of its own, with one commit."""
    folder = tmp_path_factory.mktemp("voice") / "checkout"
    shutil.copytree(service_source, folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    who = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "release"]):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=20)
    return folder


@pytest.fixture(scope="session")
def environment(
    checkout: Path, service_python: Path, empty_database: str, the_world: World
) -> dict[str, str]:
    """A complete environment of the service, written as the checkout's `.env`; its database is migrated."""
    settings = {
        **SECRETS,
        "DATABASE_URL": empty_database,
        "S3_ENDPOINT": the_world.url.removeprefix("http://"),
        "S3_SECURE": "false",
        "S3_ACCESS_KEY": "voice",
        "S3_BUCKET": "voice-files",
        "YANDEX_FOLDER_ID": "folder",
        "PROVIDER_TIMEOUT_S": "1",
        "BREAKER_FAILURES": "3",
        "BREAKER_RESET_S": "0.3",
        "MAX_AUDIO_BYTES": "300000",
        **{f"{name}_BASE_URL": the_world.url for name in ("OPENAI", "GOOGLE", "YANDEX")},
    }
    lines = [f"{key}='{value}'\n" for key, value in settings.items()]
    (checkout / ".env").write_text("".join(lines), encoding="utf-8")
    migrate = [str(service_python), "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(migrate, cwd=checkout, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return settings


@pytest.fixture
def rows(environment: dict[str, str]) -> Iterator[Callable[[str], tuple[object, ...] | None]]:
    """Look a row up by its request id or its client mark; what it returns is in the order of _COLUMNS."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:

        def find(request_id: str) -> tuple[object, ...] | None:
            query = f"SELECT {_COLUMNS} FROM voice_usage_logs WHERE %s IN (request_id::text, client)"
            return connection.execute(query, (request_id,)).fetchone()

        yield find


@dataclass
class Service:
    """A running service process and a client of it that knows the token."""

    process: subprocess.Popen[str]
    client: httpx.Client
    ready_s: float

    def stop(self) -> tuple[float, str]:
        """SIGTERM; returns the seconds that it took to end, and what it wrote on stderr."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=10)
        return time.monotonic() - started, stderr


Starter = Callable[..., Service]


@contextmanager
def _starter(python: Path, folder: Path) -> Iterator[Starter]:
    started: list[Service] = []

    def start(**overrides: str) -> Service:
        port = free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            [str(python), *_COMMAND, "--port", str(port)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **overrides},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        headers = {"Authorization": f"Bearer {TOKEN}"}
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10, trust_env=False
        )
        service = Service(process, client, 0.0)
        started.append(service)
        _await(lambda: process.poll() is not None or _listens(port), 15, "the service does not listen")
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        service.ready_s = time.monotonic() - began
        return service

    try:
        yield start
    finally:
        for service in started:
            service.client.close()
            if service.process.poll() is None:
                service.process.kill()
            service.process.communicate(timeout=10)


@pytest.fixture(scope="session")
def service(service_python: Path, checkout: Path, environment: dict[str, str]) -> Iterator[Service]:
    """One service for all tests that leave it as it was."""
    with _starter(service_python, checkout) as start:
        yield start()


@pytest.fixture
def calm(service: Service, world: World) -> Service:
    """The common service once every provider speaks again, so that no earlier failure counts."""
    for provider in ("openai", "google", "yandex"):
        others = ",".join({"openai", "google", "yandex"} - {provider})
        headers = {"X-Voice-Skip-Providers": others}
        _await(
            lambda: service.client.post("/v1/audio/speech", json={"input": "a"}, headers=headers).is_success,  # noqa: B023  (called within this turn of the loop)
            5,
            f"{provider} never recovered",
        )
    world.asked.clear()
    return service


@pytest.fixture(scope="module")
def start_service(service_python: Path, checkout: Path, environment: dict[str, str]) -> Iterator[Starter]:
    """Start a service of one's own, with settings that differ; it ends with the module."""
    with _starter(service_python, checkout) as start:
        yield start


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _await(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, otherwise
        pause.wait(0.02)


@pytest.fixture(scope="session")
def make_tone() -> Callable[..., bytes]:
    """`tone`, for test modules."""
    return tone


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """What must never be seen."""
    return SECRETS
