"""The service itself: ask a provider, store the audio, write the row."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from app.services.voice_v2.core.audio import convert, inspect
from app.services.voice_v2.core.config import ProviderType, get_config
from app.services.voice_v2.core.errors import AudioError, DatabaseError, StorageError, VoiceError
from app.services.voice_v2.core.schemas import (
    AudioFormat,
    Operation,
    STTRequest,
    STTResult,
    TTSRequest,
    TTSResult,
    known_language,
    language_of,
)
from app.services.voice_v2.health import HealthMonitor, HealthReport
from app.services.voice_v2.providers.base import Provider, ProviderError, Recording, SpeechOrder
from app.services.voice_v2.providers.chain import ProviderChain, build_client
from app.services.voice_v2.storage import ObjectStore
from app.services.voice_v2.usage_log import UsageLog, UsageRow

logger = logging.getLogger(__name__)

_MAGIC = {
    AudioFormat.WAV: (b"RIFF",),
    AudioFormat.FLAC: (b"fLaC",),
    AudioFormat.OPUS: (b"OggS",),
    AudioFormat.MP3: (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
}


@dataclass(frozen=True, slots=True)
class _Stored:
    """Audio on its way into the bucket."""

    data: bytes
    kind: AudioFormat
    key: str
    sha256: str


class _Parts:
    """Everything with a connection; exists between initialize and cleanup."""

    def __init__(self) -> None:
        config = get_config()
        self.client: httpx.AsyncClient = build_client(config)
        self.chain = ProviderChain(config, self.client)
        self.store = ObjectStore(config)
        self.log = UsageLog(config)
        self.health = HealthMonitor(config, self.chain, self.store, self.log)


class VoiceServiceOrchestrator:
    """Speech to text and text to speech. Also an async context manager.

    `initialize` before the first request, `cleanup` after the last, both in the loop of the requests.
    """

    def __init__(self) -> None:
        self._parts: _Parts | None = None
        self._persisting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cleanup()

    async def initialize(self) -> None:
        """Set up all connections; nothing is asked yet. Raises ConfigError."""
        if self._parts is None:
            self._parts = _Parts()
            await self._parts.log.open()

    async def cleanup(self) -> None:
        """Finish what is being stored (within a second) and close all connections."""
        parts, self._parts = self._parts, None
        if parts is None:
            return
        if self._persisting:
            await asyncio.wait(self._persisting, timeout=1)
        await parts.client.aclose()
        await parts.log.close()
        parts.store.close()

    async def health(self) -> HealthReport:
        """The state of the components and the providers."""
        return await self._ready().health.report()

    async def process_stt(self, request: STTRequest) -> STTResult:
        """Transcribe one audio file, keep it and write its row.

        Raises:
            VoiceError: see core.errors; for audio that cannot be read the text says "audio".
        """
        started = time.monotonic()
        parts = self._ready()
        request.check()
        info = await asyncio.to_thread(inspect, request.audio_data)
        language = known_language(request.language)
        recording = Recording(request.audio_data, info, language)
        stored = _to_store(Operation.STT, request, request.audio_data, info.format)
        provider: ProviderType | None = None
        try:
            answer = await parts.chain.ask(
                Operation.STT, request.skip_providers, lambda each: each.transcribe(recording)
            )
            provider = answer.provider
            await self._persist(
                parts, stored, _row(Operation.STT, request, started, language, provider, stored)
            )
        except VoiceError as error:
            await self._log_failure(
                parts, _row(Operation.STT, request, started, language, provider, error=error), error
            )
            raise
        return STTResult(
            text=answer.value,
            provider=answer.provider.value,
            language=language,
            processing_time=time.monotonic() - started,
            request_id=request.request_id,
            audio_key=stored.key,
            audio_sha256=stored.sha256,
        )

    async def process_tts(self, request: TTSRequest) -> TTSResult:
        """Speak one text, keep the audio and write its row.

        Raises:
            VoiceError: see core.errors.
        """
        started = time.monotonic()
        parts = self._ready()
        request.check()
        language = known_language(request.language) or language_of(request.text)
        order = SpeechOrder(request.text, language, request.voice, request.model, request.response_format)
        provider: ProviderType | None = None
        try:
            answer = await parts.chain.ask(
                Operation.TTS, request.skip_providers, lambda each: _speech(each, order)
            )
            provider = answer.provider
            stored = _to_store(Operation.TTS, request, answer.value, request.response_format)
            await self._persist(
                parts, stored, _row(Operation.TTS, request, started, language, provider, stored)
            )
        except VoiceError as error:
            await self._log_failure(
                parts, _row(Operation.TTS, request, started, language, provider, error=error), error
            )
            raise
        return TTSResult(
            audio_data=answer.value,
            response_format=request.response_format,
            provider=answer.provider.value,
            language=language,
            processing_time=time.monotonic() - started,
            request_id=request.request_id,
            audio_key=stored.key,
            audio_sha256=stored.sha256,
        )

    def _ready(self) -> _Parts:
        if self._parts is None:
            raise VoiceError("the orchestrator is not initialized: await initialize() first")
        return self._parts

    async def _persist(self, parts: _Parts, stored: _Stored, row: UsageRow) -> None:
        """Object and row, both or neither; goes on to its end when the caller gives up."""
        task = asyncio.create_task(_store_both(parts, stored, row))
        self._persisting.add(task)
        task.add_done_callback(self._persisting.discard)
        await asyncio.shield(task)

    async def _log_failure(self, parts: _Parts, row: UsageRow, error: VoiceError) -> None:
        logger.warning("%s %s failed: %s", row.operation, row.request_id, row.error)
        if isinstance(error, DatabaseError):
            return
        try:
            await parts.log.add(row)
        except DatabaseError as refusal:
            logger.warning(
                "%s %s left no row: %s", row.operation, row.request_id, get_config().scrub(str(refusal))
            )


async def _store_both(parts: _Parts, stored: _Stored, row: UsageRow) -> None:
    await parts.store.put(stored.key, stored.data, stored.kind.content_type, stored.sha256)
    try:
        await parts.log.add(row)
    except DatabaseError:
        try:
            await parts.store.remove(stored.key)
        except StorageError as error:
            logger.error("%s has no row and could not be removed: %s", stored.key, error)  # noqa: TRY400  (its cause is in the text)
        raise


async def _speech(provider: Provider, order: SpeechOrder) -> bytes:
    """The provider's audio in the wanted format, converted where it came in another."""
    data = await provider.synthesize(order)
    if not data:
        raise ProviderError("the answer is empty")
    if data.startswith(_MAGIC[order.wanted]):
        return data
    try:
        return await asyncio.to_thread(convert, data, order.wanted)
    except AudioError as error:
        raise ProviderError(f"the answer cannot be used: {error}") from error


def _to_store(
    operation: Operation, request: STTRequest | TTSRequest, data: bytes, kind: AudioFormat
) -> _Stored:
    day = datetime.now(UTC).strftime("%Y/%m/%d")
    key = f"{operation.value}/{day}/{request.request_id}.{kind.extension}"
    return _Stored(data, kind, key, hashlib.sha256(data).hexdigest())


def _row(
    operation: Operation,
    request: STTRequest | TTSRequest,
    started: float,
    language: str | None,
    provider: ProviderType | None,
    stored: _Stored | None = None,
    error: VoiceError | None = None,
) -> UsageRow:
    return UsageRow(
        request_id=request.request_id,
        operation=operation.value,
        provider=provider.value if provider else None,
        language=language,
        status="error" if error else "ok",
        duration_ms=round((time.monotonic() - started) * 1000),
        audio_key=stored.key if stored else None,
        audio_sha256=stored.sha256 if stored else None,
        audio_bytes=len(stored.data) if stored else None,
        characters=len(request.text) if isinstance(request, TTSRequest) else None,
        client=request.client,
        error=get_config().scrub(str(error)) if error else None,
    )
