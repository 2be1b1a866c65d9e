"""The flavour `openai-audio`: a service that speaks OpenAI's audio API over HTTP."""

import json
from pathlib import PurePosixPath

from target.api import Answer
from target.description import Target
from target.errors import TargetError
from target.http import Http, Reply

_CONTENT_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
}


class OpenAiAudio:
    """`target.api.VoiceApi` over HTTP. Raises TargetError where the environment's proxy cannot be used."""

    def __init__(self, target: Target) -> None:
        self._api = target.api
        self._mark = target.mark
        self._http = Http(
            target.api.url, timeout_s=target.api.timeout_s, keep=max(8, target.budget.concurrency)
        )

    async def health(self) -> Answer:
        """`GET /health`, with the token: services that ask for none ignore it."""
        return self._answer(await self._http.ask("GET", self._api.paths.health, headers=self._headers()))

    async def metrics(self) -> Answer:
        """`GET /metrics`."""
        return self._answer(await self._http.ask("GET", self._api.paths.metrics, headers=self._headers()))

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
        """`POST /v1/audio/speech`."""
        body: dict[str, object] = {
            "model": self._api.speech_model,
            "input": text,
            "voice": self._api.voice,
            "response_format": audio_format,
            "language": language,
        }
        headers = self._headers(skip, token) | {"content-type": "application/json"}
        content = json.dumps(body | (extra or {})).encode()
        return self._answer(
            await self._http.ask("POST", self._api.paths.speech, headers=headers, content=content)
        )

    async def transcribe(
        self,
        audio: bytes,
        file_name: str,
        language: str | None,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",
    ) -> Answer:
        """`POST /v1/audio/transcriptions`, as multipart."""
        form = {"model": self._api.transcription_model, "response_format": "json"}
        if language is not None:
            form["language"] = language
        kind = _CONTENT_TYPES.get(PurePosixPath(file_name).suffix.lower(), "application/octet-stream")
        reply = await self._http.ask(
            "POST",
            self._api.paths.transcriptions,
            headers=self._headers(skip, token),
            form=form,
            files={"file": (file_name, audio, kind)},
        )
        return self._answer(reply)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def _headers(self, skip: tuple[str, ...] = (), token: str | None = "") -> dict[str, str]:
        headers: dict[str, str] = {}
        bearer = self._api.token if token == "" else token
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        if self._api.headers.mark is not None:
            headers[self._api.headers.mark] = self._mark
        if skip:
            if self._api.headers.skip_providers is None:
                raise TargetError(
                    "api.headers.skip_providers is not in the target, so no provider can be left out; name the header"
                )
            headers[self._api.headers.skip_providers] = ",".join(skip)
        return headers

    def _answer(self, reply: Reply) -> Answer:
        named = self._api.headers.provider
        return Answer(
            status=reply.status,
            seconds=reply.seconds,
            started=reply.started,
            body=reply.body,
            headers=reply.headers,
            provider=reply.headers.get(named.lower()) if named is not None else None,
        )
