"""Requests and results, and the limits that every request keeps."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.services.voice_v2.core.config import ProviderType
from app.services.voice_v2.core.errors import AudioError, InvalidRequestError

MAX_TEXT_CHARACTERS: Final = 4096
MAX_CLIENT_CHARACTERS: Final = 64
LANGUAGES: Final = ("ru", "en")


class Operation(StrEnum):
    """The two operations, as rows, metrics and keys name them."""

    STT = "stt"
    TTS = "tts"


class AudioFormat(StrEnum):
    """The formats that the service reads and writes; the value is what callers ask for."""

    WAV = "wav"
    MP3 = "mp3"
    OPUS = "opus"
    FLAC = "flac"

    @property
    def content_type(self) -> str:
        """The MIME type of a response in this format."""
        return {"wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac"}[
            self.value
        ]

    @property
    def extension(self) -> str:
        """The ending of an object's key, without the dot."""
        return "ogg" if self is AudioFormat.OPUS else self.value


def known_language(language: str | None) -> str | None:
    """`language` as the service names it (`ru-RU` is `ru`); None stays None.

    Raises:
        InvalidRequestError: the service does not speak it.
    """
    if language is None:
        return None
    short = re.split("[-_]", language.strip().lower(), maxsplit=1)[0]
    if short not in LANGUAGES:
        raise InvalidRequestError(f"language is not one of {', '.join(LANGUAGES)}")
    return short


def language_of(text: str) -> str:
    """The language of `text` by its script: Cyrillic is Russian, all else English."""
    return "ru" if re.search("[\u0400-\u04ff]", text) else "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What both kinds of request carry."""

    language: str | None = None
    client: str | None = None
    skip_providers: frozenset[ProviderType] = frozenset()
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)

    def check_common(self) -> None:
        """Raises InvalidRequestError: the language or the client mark cannot be used."""
        known_language(self.language)
        if self.client is not None and len(self.client) > MAX_CLIENT_CHARACTERS:
            raise InvalidRequestError(f"the client mark is longer than {MAX_CLIENT_CHARACTERS} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class STTRequest(_Request):
    """Speech to be transcribed: one audio file, WAV, FLAC, OGG or MP3."""

    audio_data: bytes

    def check(self) -> None:
        """Raises AudioError or InvalidRequestError: the request cannot be served by anyone."""
        self.check_common()
        if not self.audio_data:
            raise AudioError("the audio is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class TTSRequest(_Request):
    """Text to be spoken."""

    text: str
    voice: str | None = None
    model: str | None = None
    response_format: AudioFormat = AudioFormat.WAV

    def check(self) -> None:
        """Raises InvalidRequestError: the request cannot be served by anyone."""
        self.check_common()
        if not self.text.strip():
            raise InvalidRequestError("the text is empty")
        if len(self.text) > MAX_TEXT_CHARACTERS:
            raise InvalidRequestError(f"the text is longer than {MAX_TEXT_CHARACTERS} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What both kinds of result carry; `processing_time` in seconds."""

    provider: str
    language: str | None
    processing_time: float
    request_id: uuid.UUID
    audio_key: str
    audio_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class STTResult(_Result):
    """A transcript; silence gives the empty text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TTSResult(_Result):
    """Speech: one audio file in `response_format`."""

    audio_data: bytes
    response_format: AudioFormat
