"""The Python flavour, against small services in a folder of their own, under a real interpreter."""

import asyncio
import contextlib
import json
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from target.api import health_of, open_api
from target.description import Api, Code, Database, Environment, PythonApi, Target, Virtualenv
from target.environment import Reading
from target.errors import ApiError, TargetError
from target.host import Host
from target.python_worker import PythonWorker
from target.wait import Seen, eventually

REQUESTS = """
from dataclasses import dataclass, field
from enum import Enum
from typing import FrozenSet, Optional

class Provider(Enum):
    OPENAI = "openai"
    GOOGLE = "google"

class Format(Enum):
    WAV = "wav"
    OPUS = "opus"

@dataclass
class TTSRequest:
    text: str
    language: Optional[str] = None
    response_format: Format = Format.WAV
    skip_providers: FrozenSet[Provider] = frozenset()
    client: Optional[str] = None

@dataclass
class STTRequest:
    audio_data: bytes
    language: Optional[str] = None
"""

ASYNC = """
import asyncio, os, sys, subprocess
from dataclasses import dataclass
from voice.schemas import Provider, TTSRequest

print("noise while importing")
os.write(1, b"noise below Python\\n")

class Refused(Exception):
    status = 422

@dataclass
class Result:
    audio_data: bytes
    provider: Provider

class Voice:
    def __init__(self):
        self.ready = False
        self.at_once = 0
        self.all_there = asyncio.Event()

    async def initialize(self):
        self.ready = True
        print("noise while initializing")

    async def process_tts(self, request):
        print("noise", request.text)
        if request.text == "hang":
            await asyncio.Event().wait()
        if request.text == "block":
            import time
            time.sleep(60)
        if request.text == "die":
            print("about to die of", os.environ.get("API_KEY"), file=sys.stderr)
            os._exit(7)
        if request.text == "refuse":
            raise Refused("text is not nice")
        if request.text == "break":
            raise RuntimeError("broken")
        if request.text == "together":
            self.at_once += 1
            if self.at_once == 3:
                self.all_there.set()
            await self.all_there.wait()
        if request.text == "child":
            child = subprocess.Popen(["sleep", "300"])
            return Result(str(child.pid).encode(), None)
        if request.text == "stdin":
            return Result(repr(sys.stdin.read()).encode(), None)
        told = [self.ready, request.language, request.response_format.name, request.client,
                sorted(p.name for p in request.skip_providers), os.getcwd(), os.environ.get("API_KEY"),
                os.environ.get("OPERATORS_OWN")]
        return Result(repr(told).encode(), Provider.GOOGLE)

    async def process_stt(self, request):
        return {"text": request.audio_data.decode() + str(request.language), "provider_used": "openai"}

    async def cleanup(self):
        open("cleaned", "w").write("yes")

async def build():
    return Voice()
"""

SYNC = """
import threading
from voice.schemas import TTSRequest

class Voice:
    def __init__(self):
        self.barrier = threading.Barrier(3, timeout=5)
    def initialize(self):
        pass
    def synthesize_speech(self, request):
        if request.text == "together":
            self.barrier.wait()
        return b"bytes:" + request.text.encode()
    def transcribe_audio(self, request):
        return "heard"
"""


@pytest.fixture
def make(tmp_path):
    """Writes a service and gives an opener of clients for it."""

    def make(source, factory="voice.service:Voice", timeout_s=5.0, host="local://", **more):
        folder = tmp_path / "service"
        (folder / "voice").mkdir(parents=True, exist_ok=True)
        (folder / "voice" / "__init__.py").write_text("__version__ = '2.3.1'\n")
        (folder / "voice" / "schemas.py").write_text(REQUESTS)
        (folder / "voice" / "service.py").write_text(textwrap.dedent(source))
        python = PythonApi(factory=factory, requests="voice.schemas", interpreter=sys.executable)
        target = Target(
            name="t",
            api=Api(url="http://127.0.0.1:1", flavour="python", timeout_s=timeout_s, python=python),
            code=Code(checkout=str(folder)),
            database=Database(url="postgresql://h/b", mark_column="client"),
            **more,
        )
        return opened(target, host)

    return make


@contextlib.asynccontextmanager
async def opened(target, host="local://"):
    api = open_api(target, Host(host))
    assert isinstance(api, PythonWorker)
    try:
        yield api
    finally:
        await api.aclose()


def gone(pid):
    """Whether a process ends within a few seconds (a zombie has ended)."""

    def look():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            state = "Z"
        return Seen(met=state == "Z", seen=state)

    return eventually(look, deadline_s=5).met


async def test_an_async_service(make, tmp_path, monkeypatch):
    monkeypatch.setenv("OPERATORS_OWN", "not for the service")
    folder = tmp_path / "service"
    async with make(ASYNC, factory="voice.service:build") as api:
        answer = await api.speak("Привет", "ru", skip=("openai",), audio_format="opus")
        assert (answer.status, answer.provider) == (200, "google")
        expected = [True, "ru", "OPUS", "rollback-suite", ["OPENAI"], str(folder), None, None]
        assert answer.body.decode() == repr(expected)
        answer = await api.transcribe("да".encode(), "a.wav", None)
        assert (json.loads(answer.body), answer.provider) == ({"text": "даNone"}, "openai")
        assert 0 <= answer.seconds < 5
    assert (folder / "cleaned").read_text() == "yes"
    assert [path.name for path in folder.rglob("__pycache__")] == []


async def test_a_sync_service(make):
    async with make(SYNC) as api:
        answer = await api.speak("a", "en")
        assert (answer.body, answer.provider) == (b"bytes:a", None)
        assert json.loads((await api.transcribe(b"", "a.wav", "en")).body) == {"text": "heard"}
        answers = await asyncio.gather(*(api.speak("together", "en") for _ in range(3)))
        assert [one.status for one in answers] == [200] * 3


async def test_requests_run_at_once(make):
    async with make(ASYNC) as api:
        answers = await asyncio.gather(*(api.speak("together", "en") for _ in range(3)))
        assert [one.status for one in answers] == [200] * 3


async def test_an_error_of_the_service_is_an_answer(make):
    async with make(ASYNC) as api:
        refused = await api.speak("refuse", "en")
        assert (refused.status, "text is not nice" in refused.text()) == (422, True)
        broken = await api.speak("break", "en")
        assert (broken.status, "RuntimeError" in broken.text()) == (500, True)
        wrong = await api.speak("a", "en", extra={"input": "b", "no_such_field": 1})
        assert (wrong.status, "no_such_field" in wrong.text()) == (500, True)
        assert (await api.speak("fine", "en")).ok


async def test_a_hanging_request_is_bounded_and_others_go_on(make):
    async with make(ASYNC, timeout_s=1.0) as api:
        await api.speak("first", "en")
        hanging = asyncio.create_task(api.speak("hang", "en"))
        assert (await api.speak("b", "en")).ok
        with pytest.raises(ApiError, match=r"no answer within 1 s; it last said: .*noise"):
            await hanging
        assert (await api.speak("c", "en")).ok


async def test_a_blocked_worker_is_killed_in_the_end(make, monkeypatch):
    monkeypatch.setattr("target.pipe._CLEANUP_S", 0.2)
    async with make(ASYNC, timeout_s=1.0) as api:
        pid = int((await api.speak("child", "en")).body)
        with pytest.raises(ApiError, match="no answer within 1 s"):
            await api.speak("block", "en")
    assert gone(pid)


async def test_a_worker_that_dies_tells_its_last_lines(make):
    async with make(ASYNC) as api:
        dying = api.speak("die", "en")
        waiting = api.speak("hang", "en")
        told = await asyncio.gather(waiting, dying, return_exceptions=True)
        for error in told:
            assert isinstance(error, ApiError)
            assert "died with status 7; it last said: " in str(error)
            assert "about to die of None" in str(error)
        started = time.monotonic()
        with pytest.raises(ApiError, match="died with status 7"):
            await api.speak("again", "en")
        assert time.monotonic() - started < 0.5


async def test_what_it_started_ends_with_it(make):
    async with make(ASYNC) as api:
        pid = int((await api.speak("child", "en")).body)
        os.kill(pid, 0)
    assert gone(pid)


async def test_the_service_cannot_eat_the_input(make):
    async with make(ASYNC) as api:
        assert (await api.speak("stdin", "en")).body == b"''"
        assert (await api.speak("next", "en")).ok


async def test_the_environment_of_its_file(make, tmp_path, monkeypatch):
    def read(content, reader):
        assert reader == "systemd"
        return Reading(variables=dict([content.decode().strip().split("=")]), faults=(), warnings=())

    monkeypatch.setattr("target.environment.read", read)
    (tmp_path / ".env").write_text("API_KEY=canary-value-1\n")
    file = Environment(file=str(tmp_path / ".env"), previous="/none", reader="systemd")
    async with make(ASYNC, environment=file) as api:
        answer = await api.speak("a", "en")
        assert "'canary-value-1'" in answer.text()
        with pytest.raises(ApiError) as caught:
            await api.speak("die", "en")
        assert "canary" not in str(caught.value)
        assert "about to die of ••••" in str(caught.value)


async def test_health_without_http_is_that_of_the_worker(make):
    async with make(ASYNC) as api:
        health = health_of(await api.health())
        assert (health.system_status, health.version) == ("healthy", "2.3.1")
        with pytest.raises(ApiError, match="/metrics: connection refused"):
            await api.metrics()


@pytest.mark.parametrize(
    ("source", "factory", "says"),
    [
        ("import no_such_module_here\n", "voice.service:Voice", "ModuleNotFoundError: No module named"),
        ("x = 1\n", "voice.service:Voice", "AttributeError"),
        ("x = (\n", "voice.service:Voice", "SyntaxError"),
        ("def Voice(): raise OSError('no database')\n", "voice.service:Voice", "OSError: no database"),
        (
            "import os; print('bye'); os._exit(3)\n",
            "voice.service:Voice",
            "died with status 3; it last said: bye",
        ),
        ("import sys; sys.exit('no config')\n", "voice.service:Voice", "no config"),
    ],
)
async def test_a_service_that_does_not_start(make, source, factory, says):
    async with make(source, factory=factory) as api:
        for _ in range(2):
            with pytest.raises(ApiError) as caught:
                await api.speak("a", "en")
            assert says in str(caught.value)
            assert "\n" not in str(caught.value)


async def test_a_service_that_never_gets_ready(make, monkeypatch):
    monkeypatch.setattr("target.python_worker._START_S", 0.8)
    monkeypatch.setattr("target.pipe._CLEANUP_S", 0.2)
    async with make("import time; print('connecting'); time.sleep(60)\n") as api:
        with pytest.raises(ApiError, match=r"not ready within 0\.8 s"):
            await api.speak("a", "en")


async def test_a_service_without_the_methods(make):
    async with make("class Voice: pass\n") as api:
        answer = await api.speak("a", "en")
        assert (answer.status, "none of: process_tts" in answer.text()) == (500, True)
        with pytest.raises(TargetError, match="STTRequest takes no skip_providers"):
            await api.transcribe(b"", "a.wav", "en", skip=("openai",))


@pytest.mark.parametrize(
    ("interpreter", "says"), [("/no/python", "cannot start"), (__file__, "cannot start")]
)
async def test_no_interpreter(tmp_path, interpreter, says):
    python = PythonApi(interpreter=interpreter)
    api = Api(url="http://127.0.0.1:1", flavour="python", python=python)
    async with opened(Target(name="t", api=api, code=Code(checkout=str(tmp_path)))) as client:
        with pytest.raises(ApiError, match=says):
            await client.speak("a", "en")


def test_a_target_that_lacks_what_a_worker_needs():
    target = Target(name="t", api=Api(url="http://127.0.0.1:1", flavour="python"))
    with pytest.raises(TargetError, match=r"needs code\.checkout"):
        open_api(target, Host("local://"))


async def test_the_interpreter_of_the_virtualenv(tmp_path):
    api = Api(url="http://127.0.0.1:1", flavour="python")
    target = Target(name="t", api=api, code=Code(checkout="/"), virtualenv=Virtualenv(path=str(tmp_path)))
    async with opened(target) as client:
        with pytest.raises(ApiError, match=f"cannot start {tmp_path}/bin/python"):
            await client.speak("a", "en")


async def test_over_docker_exec(make, tmp_path, monkeypatch):
    """The same through a command line that only passes input and output on, as docker and ssh do."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\n[ "$1 $2 $3" = "exec -i voice" ] && shift 3 && "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    async with make(ASYNC, host="docker://voice") as api:
        answer = await api.speak("a", "en")
        assert (answer.status, answer.provider) == (200, "google")
        pid = int((await api.speak("child", "en")).body)
        with pytest.raises(
            ApiError, match=r"docker://voice: died with status 7; it last said: .*about to die"
        ):
            await api.speak("die", "en")
        os.kill(pid, 9)
    async with make(ASYNC, host="docker://voice") as api:
        pid = int((await api.speak("child", "en")).body)
    assert gone(pid)
