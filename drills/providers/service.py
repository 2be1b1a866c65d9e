"""One stand-in as an application: latency, misbehaviour, credentials, then the answer from the catalogue."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from drills.providers import catalogue
from drills.providers.behaviour import Asked, Decision, Desk, Mode
from drills.providers.catalogue import LANGUAGES, Phrase, Provider
from drills.providers.recognise import Recogniser
from drills.providers.sound import Clip, encode, resample
from drills.providers.wire import (
    UNKNOWN_SPEECH,
    UNKNOWN_TEXT,
    Dialect,
    Kind,
    Recording,
    RefusedError,
    Speech,
)

_FAILURES: dict[Mode, Kind] = {
    "unauthorized": "unauthorized",
    "rate_limited": "rate_limited",
    "server_error": "server_error",
    "unavailable": "unavailable",
}


class BrokenOff(Response):
    """Promises the whole body, sends half of it and returns; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI's interface)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


class Service:
    """One provider's stand-in. `latency_s` is the usual time to an answer; `stopping` ends every wait."""

    def __init__(
        self,
        dialect: Dialect,
        desk: Desk,
        recogniser: Recogniser,
        *,
        latency_s: float,
        stopping: asyncio.Event,
    ) -> None:
        self._dialect = dialect
        self._desk = desk
        self._hear = functools.lru_cache(maxsize=32)(recogniser.hear)
        self._latency_s = latency_s
        self._stopping = stopping

    def app(self) -> Starlette:
        """The application with the provider's own paths; any other path is answered 404."""
        return Starlette(
            routes=[
                Route(path, self._endpoint(asked), methods=[method])
                for method, path, asked in self._dialect.routes
            ]
        )

    def _endpoint(self, asked: Asked) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            decision = self._desk.decide(self._dialect.name, asked)
            await request.body()
            waits = self._latency_s if decision.latency_s is None else decision.latency_s
            if not await self._wait(request, None if decision.mode == "hang" else waits):
                return self._dialect.refusal("unavailable")
            if decision.mode in _FAILURES:
                return self._dialect.refusal(_FAILURES[decision.mode])
            try:
                self._dialect.authorise(request)
                response = await self._respond(request, asked, decision)
            except RefusedError as refused:
                response = refused.response
            if decision.mode == "reset":
                return BrokenOff(response.body, response.status_code, response.headers)
            return response

        return endpoint

    async def _wait(self, request: Request, seconds: float | None) -> bool:
        """Wait (None: for ever); False where the server stops or the client goes before that."""
        ends = [asyncio.ensure_future(self._stopping.wait()), asyncio.ensure_future(_gone(request))]
        try:
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        return not done

    async def _respond(self, request: Request, asked: Asked, decision: Decision) -> Response:
        if asked == "tts":
            speech = await self._dialect.read_speech(request)
            return self._dialect.speech(speech, self._spoken(speech, decision.mode))
        if asked == "stt":
            recording = await self._dialect.read_recording(request)
            return self._dialect.transcript(recording, self._heard(recording, decision.mode))
        return self._dialect.listing()

    def _spoken(self, asked: Speech, mode: Mode) -> bytes:
        phrase = catalogue.find(asked.text)
        if phrase is None:
            raise RefusedError(self._dialect.refusal("bad_request", UNKNOWN_TEXT))
        audio = _encoded(
            self._dialect.name, _said(phrase, mode).id, asked.codec, asked.rate, mode == "silence"
        )
        if mode == "empty_audio":
            return b""
        return audio[: len(audio) // 3] if mode == "truncated" else audio

    def _heard(self, recording: Recording, mode: Mode) -> str:
        heard = self._hear(recording.clip, recording.language)
        if heard.silent:
            return ""
        if heard.phrase is None:
            raise RefusedError(self._dialect.refusal("bad_request", UNKNOWN_SPEECH))
        return _said(heard.phrase, mode).text


def _said(phrase: Phrase, mode: Mode) -> Phrase:
    """The phrase that is said or heard in this mode instead of the right one."""
    if mode == "wrong_words":
        return catalogue.other(phrase, phrase.language)
    if mode == "wrong_language":
        return catalogue.other(phrase, next(other for other in LANGUAGES if other != phrase.language))
    return phrase


@functools.lru_cache(maxsize=512)
def _encoded(provider: Provider, phrase_id: str, codec: str, rate: int, silent: bool) -> bytes:
    clip = resample(catalogue.audio(provider, phrase_id), rate)
    if silent:
        clip = Clip(np.zeros_like(clip.samples), rate, clip.container)
    return encode(clip, codec)


async def _gone(request: Request) -> None:
    """Returns when the client has closed the connection. To be called once the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
