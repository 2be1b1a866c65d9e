"""Asking a speech provider directly, in its own wire format, with the credentials that the service would use."""

import re
import time
from collections.abc import Callable, Mapping

import msgspec

from target.description import Provider
from target.errors import TargetError
from target.http import Http
from target.redact import MASK, Redactor, secrets_of
from target.wire import Dialect, Google, OpenAi, Question, Yandex

_LONGEST = 300
_HALF_HIDDEN = re.compile(r"[\w-]*\*{2,}[\w*-]*")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One direct question to a provider. `status` 0 means that no answer came; `problem` says why not, without secrets.

    `refused` is whether the provider refused the credentials (401, 403, or its own code for that).
    """

    provider: str
    operation: str  # credentials, tts, stt
    status: int
    seconds: float
    refused: bool
    problem: str | None
    audio: bytes = b""
    text: str = ""


class ProviderClient:
    """A provider with the credentials of an environment; for one event loop, safe to call concurrently.

    All methods are bounded by `timeout_s` and never raise for a bad answer, or for none.
    """

    def __init__(
        self, provider: Provider, environment: Mapping[str, str], *, timeout_s: float = 10.0
    ) -> None:
        """Raises TargetError when the environment lacks the variable that `provider.key` (or `.folder`) names."""
        self._name = provider.name
        self._timeout_s = timeout_s
        self._dialect = _dialect(provider, environment)
        self._redactor = Redactor({environment[provider.key], *secrets_of(dict(environment))})
        self._connections: dict[str, Http] = {}

    async def credentials(self) -> Asked:
        """The cheapest call that proves them: OpenAI `/v1/models`, Google `/v1/voices`, Yandex a short synthesis."""
        return await self._ask("credentials", self._dialect.credentials())

    async def speak(self, text: str, language: str) -> Asked:
        """Synthesise; `audio` is WAV or OGG as the provider gives it."""
        asked = await self._ask("tts", self._dialect.speak(text, language), spoken=self._dialect.spoken)
        if asked.problem is None and not asked.audio:
            return msgspec.structs.replace(asked, problem=f"{asked.status}, but the answer has no audio")
        return asked

    async def transcribe(self, audio: bytes, language: str) -> Asked:
        """Transcribe an OGG/Opus file (all three providers take it); `text` is the transcript, empty for silence."""
        return await self._ask("stt", self._dialect.transcribe(audio, language), heard=self._dialect.heard)

    async def aclose(self) -> None:
        """Close connections."""
        for http in self._connections.values():
            await http.aclose()

    async def _ask(
        self,
        operation: str,
        question: Question,
        *,
        spoken: Callable[[bytes], bytes] | None = None,
        heard: Callable[[bytes], str] | None = None,
    ) -> Asked:
        asked = Asked(
            provider=self._name, operation=operation, status=0, seconds=0.0, refused=False, problem=None
        )
        started = time.monotonic()
        try:
            reply = await self._http(question.base).ask(
                question.method,
                question.path,
                headers=question.headers,
                query=question.query,
                json=question.json,
                form=question.form,
                files=question.files,
                content=question.content,
            )
        except TargetError as error:
            seconds = time.monotonic() - started
            return msgspec.structs.replace(asked, seconds=seconds, problem=self._shown(str(error)))
        asked = msgspec.structs.replace(asked, status=reply.status, seconds=reply.seconds)
        if not 200 <= reply.status < 300:
            said = self._dialect.complaint(reply.status, reply.body)
            message = said.message or reply.body[:800].decode("utf-8", "replace")
            problem = self._shown(f"{reply.status} {said.code} {message}")
            return msgspec.structs.replace(asked, refused=said.refused, problem=problem)
        try:
            return msgspec.structs.replace(
                asked,
                audio=spoken(reply.body) if spoken is not None else b"",
                text=heard(reply.body) if heard is not None else "",
            )
        except ValueError as error:
            return msgspec.structs.replace(asked, problem=self._shown(f"{reply.status}, but {error}"))

    def _http(self, base: str) -> Http:
        if base not in self._connections:
            self._connections[base] = Http(base, timeout_s=self._timeout_s)
        return self._connections[base]

    def _shown(self, text: str) -> str:
        """One line, without secrets, nor what a provider leaves of them (`sk-ab****yz`)."""
        text = _HALF_HIDDEN.sub(MASK, self._redactor.text(text))
        return " ".join(text.split())[:_LONGEST]


def _dialect(provider: Provider, environment: Mapping[str, str]) -> Dialect:
    key = _variable(provider.name, "key", provider.key, environment)
    folder = None
    if provider.folder is not None:
        folder = _variable(provider.name, "folder", provider.folder, environment)
    match provider.kind:
        case "openai":
            return OpenAi(key, provider.url)
        case "google":
            if key.lstrip().startswith("{") or key.endswith(".json"):
                raise TargetError(
                    f"provider {provider.name}: {provider.key} holds a service account, and only an API key can be "
                    "tried directly; name a variable with an API key, or leave the provider out of the target"
                )
            return Google(key, provider.url)
        case "yandex":
            return Yandex(key, folder, provider.url)


def _variable(provider: str, key: str, name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if not value:
        state = "empty in" if name in environment else "not in"
        raise TargetError(
            f"provider {provider}: {name} is {state} the service's environment; "
            f"set it there, or name another variable as `{key}` in the target"
        )
    return value
