"""The flavour `python`: the service's own Python API, in a worker under its interpreter, on its host."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import msgspec

from target import environment, load
from target.api import Answer
from target.description import Target
from target.errors import ApiError, TargetError
from target.host import Host
from target.openai_audio import OpenAiAudio
from target.pipe import Pipe
from target.redact import Redactor, secrets_of
from target.service import service_of

_START_S = 60.0
_SOURCE = Path(__file__).with_name("worker.py")
# What a supervisor gives to its own child only.
_NOT_OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class PythonWorker:
    """`target.api.VoiceApi` over the runbook's Python API; `/health` and `/metrics` are HTTP's where that answers.

    The worker starts with the first request that needs it. An error that the service raises is an answer: of its own
    `status` where it has one, else 500. `token` means nothing here.
    Raises TargetError: no interpreter or checkout named.
    """

    def __init__(self, target: Target, host: Host) -> None:
        interpreter = target.api.python.interpreter
        if interpreter is None and target.virtualenv is not None:
            interpreter = f"{target.virtualenv.path}/bin/python"
        if interpreter is None or target.code is None:
            raise TargetError(
                "api.flavour python needs code.checkout, and virtualenv.path or api.python.interpreter; "
                "add them to the target"
            )
        self._target = target
        self._host = host
        self._redactor = Redactor(load.secrets(target))
        self._pipe = Pipe(host, interpreter, _SOURCE.read_text("utf-8"), self._redactor)
        self._folder = target.code.checkout
        self._http = OpenAiAudio(target)
        self._starting = asyncio.Lock()
        self._started: Started | ApiError | None = None

    async def health(self) -> Answer:
        """`GET /health` where `api.url` answers; else that the worker is up, with the version its package states."""
        try:
            return await self._http.health()
        except ApiError:
            started = await self._start()
        told = {"system_status": "healthy", "version": started.version}
        return Answer(
            status=200,
            seconds=started.seconds,
            started=started.at,
            body=msgspec.json.encode(told),
            headers={"content-type": "application/json"},
        )

    async def metrics(self) -> Answer:
        """`GET /metrics`, over HTTP."""
        return await self._http.metrics()

    async def speak(
        self,
        text: str,
        language: str,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",  # noqa: ARG002  (the interface's; the Python API knows no tokens)
        audio_format: str = "wav",
        extra: dict[str, object] | None = None,
    ) -> Answer:
        """`process_tts` or `synthesize_speech`. In `extra`, `input` is the request's `text`."""
        must: dict[str, object] = {"text": text, "language": language}
        must |= {"text" if name == "input" else name: value for name, value in (extra or {}).items()}
        return await self._ask("tts", must, {"response_format": audio_format}, skip, "audio/wav")

    async def transcribe(
        self,
        audio: bytes,
        file_name: str,  # noqa: ARG002  (the interface's; the Python API takes bytes)
        language: str | None,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",  # noqa: ARG002  (the interface's; the Python API knows no tokens)
    ) -> Answer:
        """`process_stt` or `transcribe_audio`."""
        must: dict[str, object] = {"audio_data": base64.b64encode(audio).decode()}
        if language is not None:
            must["language"] = language
        return await self._ask("stt", must, {}, skip, "application/json")

    async def aclose(self) -> None:
        """Let the service clean up, then end the worker and all that it started."""
        await self._pipe.aclose()
        await self._http.aclose()

    async def _ask(
        self,
        operation: str,
        must: dict[str, object],
        may: dict[str, object],
        skip: tuple[str, ...],
        content_type: str,
    ) -> Answer:
        started = await self._start()
        if skip:
            if "skip_providers" not in started.takes[operation]:
                raise TargetError(
                    f"{self._target.api.python.requests}: its {operation.upper()}Request takes no skip_providers, "
                    "so no provider can be left out"
                )
            must = must | {"skip_providers": list(skip)}
        column = self._target.database.mark_column if self._target.database is not None else None
        if column is not None:
            may = may | {column: self._target.mark}
        frame = {"operation": operation, "must": must, "may": may}
        sent = asyncio.get_running_loop().time()
        told = await self._pipe.ask(frame, timeout_s=self._target.api.timeout_s)
        return Answer(
            status=told["status"],
            seconds=told["seconds"],
            started=sent,
            body=base64.b64decode(told["body"]),
            headers={"content-type": content_type if told["status"] == 200 else "application/json"},
            provider=told["provider"],
        )

    async def _start(self) -> "Started":
        """Once; a worker that could not start is not tried again."""
        async with self._starting:
            if self._started is None:
                try:
                    self._started = await self._first_start()
                except ApiError as error:
                    self._started = error
                except TargetError as error:
                    self._started = ApiError(str(error))
        if isinstance(self._started, ApiError):
            raise ApiError(str(self._started))
        return self._started

    async def _first_start(self) -> "Started":
        loop = asyncio.get_running_loop()
        at = loop.time()
        variables = await asyncio.to_thread(self._environment)
        self._redactor.add(secrets_of(variables or {}))
        python = self._target.api.python
        configuration: dict[str, Any] = {
            "folder": self._folder,
            "environment": variables,
            "factory": python.factory,
            "requests": python.requests,
        }
        ready_s = self._target.service.ready_s if self._target.service is not None else _START_S
        told = await self._pipe.start(configuration, timeout_s=ready_s)
        return Started(at=at, seconds=loop.time() - at, version=told["version"], takes=told["takes"])

    def _environment(self) -> dict[str, str] | None:
        """That of the running process, else of its environment file; None where the program reads the file itself."""
        service = service_of(self._target, self._host) if self._target.service is not None else None
        variables = service.process_environment() if service is not None else None
        file = self._target.environment
        if variables is None and file is not None and file.reader != "python-dotenv":
            variables = environment.read(self._host.read(file.file), file.reader).variables
        if variables is None:
            return None
        return {name: value for name, value in variables.items() if name not in _NOT_OURS}


class Started(msgspec.Struct, frozen=True):
    """A worker that is up. `at` is on the monotonic clock; `takes` lists the fields of each operation's request."""

    at: float
    seconds: float
    version: str | None
    takes: dict[str, list[str]]
