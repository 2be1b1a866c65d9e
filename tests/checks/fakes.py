"""What stands between a survey and the deployment in memory: client, host, controller, log, bucket, provider."""

import asyncio
import hashlib
import json
import time
from email.utils import formatdate
from typing import Any

import msgspec

from target.api import Answer
from target.database import TableFacts, UsageRow
from target.description import (
    Provider,
)
from target.errors import ApiError, TargetError
from target.host import FileFacts, Ran
from target.objects import ObjectFacts
from target.provider import Asked
from target.service import ServiceStatus
from tests.checks.deployment import STARTED, Deployment, speech


class FakeVoice:
    """`VoiceApi` of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment
        self.asked = 0
        self.probed = 0

    def answer(self, status: int, body: bytes | dict[str, Any], provider: str | None = None) -> Answer:
        if not self.d.alive:
            raise ApiError("GET http://127.0.0.1:1/health: connection refused; nothing listens there")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(
            status=status,
            seconds=self.d.seconds,
            started=time.monotonic(),
            body=content,
            headers={"date": formatdate(time.time() + self.d.clock_ahead, usegmt=True)},
            provider=provider,
        )

    def refusal(self, status: int, why: str) -> Answer:
        return self.answer(status, {"error": {"message": why + self.d.error_note}})

    async def health(self) -> Answer:
        await asyncio.sleep(0)
        if self.d.healths_left == 0:
            raise ApiError("the connection is refused")
        self.d.healths_left -= 1
        self.probed += 1
        second = self.d.second if self.probed % 3 == 0 else {}
        return self.answer(self.d.health_status, self.d.health | second)

    async def metrics(self) -> Answer:
        return self.answer(200, self.d.metrics_text().encode())

    def served(self, operation: str, audio: bytes, skip: tuple[str, ...], token: str | None) -> str | Answer:
        self.asked += 1
        if self.d.checks_token and token != "":
            return self.refusal(self.d.strangers_get, "who are you?")
        if self.d.fails_every and self.asked % self.d.fails_every == 0:
            return self.refusal(502, "every provider failed")
        left = [name for name in self.d.enabled if name not in skip and name not in self.d.provider_problem]
        if not left:
            return self.refusal(503, "no provider is left to ask")
        self.d.counts[operation] += 1
        if self.d.writes:
            self.d.write(operation, audio, mark=self.d.target.mark, at=time.time())
        return left[0]

    async def speak(
        self,
        text: str,
        language: str,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",
        audio_format: str = "wav",
        extra: dict[str, object] | None = None,
    ) -> Answer:
        await asyncio.sleep(0)
        if self.d.refuses and (extra is not None or not text.strip()):
            return self.refusal(422, "no text")
        audio = self.d.say(text)
        served = self.served("tts", audio, skip, token)
        if isinstance(served, Answer):
            return served
        if not self.d.forgets:
            self.d.texts[hashlib.sha256(audio).hexdigest()] = text
        return self.answer(200, audio, served)

    async def transcribe(
        self,
        audio: bytes,
        file_name: str,
        language: str | None,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",
    ) -> Answer:
        await asyncio.sleep(0)
        text = self.d.texts.get(hashlib.sha256(audio).hexdigest())
        if self.d.refuses and (text is None or language == "xx"):
            return self.refusal(415, "no such audio")
        served = self.served("stt", audio, skip, token)
        if isinstance(served, Answer):
            return served
        return self.answer(200, {"text": self.d.hear(text or "")}, served)

    async def aclose(self) -> None:
        pass


class FakeHost:
    """The host of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment
        self.url = "local://"

    def read(self, path: str) -> bytes:
        if path.endswith(".previous"):
            return b"previous"
        return "".join(f"{name}={value}\n" for name, value in self.d.environment.items()).encode()

    def facts(self, path: str) -> FileFacts:
        return FileFacts(path, "regular", 1, 0o600, "root", "root", 0.0, self.d.environment_changed, 1)

    def run(self, argv: list[str], *, timeout_s: float = 30.0) -> Ran:
        return Ran(0, json.dumps(self.d.compiled_otherwise), "", 0.0)

    def shell(self, script: str, *args: str, timeout_s: float = 30.0) -> Ran:
        if "providers.json" in "".join(args):
            return Ran(0, self.d.choice, "", 0.0)
        if "stat -f" in script:
            return Ran(0, "".join(" ".join(map(str, self.d.room)) + "\n" for _ in args), "", 0.0)
        if "pyvenv.cfg" in script:
            return Ran(0, "\x1e".join(self.d.venv), "", 0.0)
        if "find" in script:
            return Ran(0, f"{self.d.code_changed:.9f} /srv/app/main.py\n", "", 0.0)
        status = f"Name:\tpython\nPid:\t4711\nPPid:\t1\nVmRSS:\t{self.d.resident} kB\n"
        return Ran(0, status, "", 0.0)


class FakeService:
    """The controller of a deployment's service."""

    name = "voice-v2"

    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment

    def status(self) -> ServiceStatus:
        pid = self.d.pids[0] if len(self.d.pids) == 1 else self.d.pids.pop(0)
        if pid is None:
            return ServiceStatus("starting", None, None, None, "STARTING")
        return ServiceStatus("running", pid, STARTED, 0, "running")

    def commands(self, verb: str) -> str:
        return f"docker compose {verb} voice-v2"

    def process_environment(self) -> dict[str, str]:
        return self.d.process

    def logs(self, lines: int = 50) -> str:
        return self.d.last_words

    def image_digest(self) -> str:
        return self.d.image


class FakeLog:
    """The usage log of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment

    def facts(self) -> TableFacts:
        return self.d.table()

    def rows(self, *, after: float = 0.0, limit: int | None = None) -> list[UsageRow]:
        self.d.table()
        return self.d.rows[-(limit or len(self.d.rows)) :]

    def writable(self) -> bool:
        return self.d.writable

    def close(self) -> None:
        pass


class FakeStore:
    """The bucket of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment

    def exists(self) -> bool:
        return self.d.bucket_there

    def list(self, prefix: str = "") -> list[ObjectFacts]:
        return self.d.listing()

    def sha256(self, key: str) -> str | None:
        return hashlib.sha256(self.d.objects[key][0]).hexdigest() if key in self.d.objects else None


class FakeProvider:
    """A provider of a deployment, asked directly."""

    def __init__(self, deployment: Deployment, provider: Provider, variables: dict[str, str]) -> None:
        self.d, self.provider = deployment, provider
        if provider.key not in variables:
            raise TargetError(f"{provider.key} is not in the environment file")

    def asked(self, operation: str, **kept: Any) -> Asked:
        name = self.provider.name
        turn = self.d.provider_asked[name, operation] = self.d.provider_asked.get((name, operation), 0) + 1
        stumbles = turn in self.d.provider_stumbles.get((name, operation), ())
        problem = self.d.provider_problem.get(name) or ("503 overloaded" if stumbles else None)
        return Asked(
            provider=name,
            operation=operation,
            status=(401 if "401" in problem else 503) if problem else 200,
            seconds=self.d.provider_seconds.get(name, 0.01),
            refused=problem is not None and "401" in problem,
            problem=problem,
            **kept,
        )

    async def speak(self, text: str, language: str) -> Asked:
        audio = self.d.provider_says(text)
        self.d.texts[hashlib.sha256(audio).hexdigest()] = (
            text if self.d.provider_says is speech else self.d.provider_heard
        )
        return self.asked("tts", audio=audio)

    async def transcribe(self, audio: bytes, language: str) -> Asked:
        text = self.d.texts[hashlib.sha256(audio).hexdigest()]
        if text == "unintelligible":
            return msgspec.structs.replace(self.asked("stt"), status=400, problem="400 not recognised")
        return self.asked("stt", text=text)

    async def aclose(self) -> None:
        pass
