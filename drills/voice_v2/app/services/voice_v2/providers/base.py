"""What every provider offers, and how a provider fails."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import httpx

from app.services.voice_v2.core.audio import AudioInfo
from app.services.voice_v2.core.config import ProviderType
from app.services.voice_v2.core.schemas import AudioFormat


class Outcome(StrEnum):
    """How one request to a provider ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"


class ProviderError(Exception):
    """A provider did not do what it was asked; `retry` says whether asking again may help."""

    def __init__(self, reason: str, outcome: Outcome = Outcome.ERROR, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.retry = retry


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """Text to be spoken, and the format that the caller would like."""

    text: str
    language: str
    voice: str | None
    model: str | None
    wanted: AudioFormat


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file to be transcribed; no language means that the provider is to find out."""

    data: bytes
    info: AudioInfo
    language: str | None


class Provider(Protocol):
    """One provider. Both methods raise ProviderError."""

    type: ProviderType

    async def synthesize(self, order: SpeechOrder) -> bytes:
        """An audio file, in the wanted format where the provider can give it."""

    async def transcribe(self, recording: Recording) -> str:
        """The words in the recording; the empty text for silence."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A provider's error body: its machine-readable code and its text, either of them perhaps empty."""

    code: str
    text: str


def json_object(response: httpx.Response) -> dict[str, object]:
    """The body as a JSON object; raises ProviderError where it is something else."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ProviderError(f"HTTP {response.status_code} with a body that is not JSON", retry=True) from None
    if not isinstance(body, dict):
        raise ProviderError(f"HTTP {response.status_code} with JSON that is not an object", retry=True)
    return body


def complaint_object(response: httpx.Response) -> dict[str, object]:
    """The body of an error as a JSON object, empty where it is something else."""
    try:
        return json_object(response)
    except ProviderError:
        return {}


def failure(response: httpx.Response, complaint: Complaint, *, bad_key: bool = False) -> ProviderError:
    """The error that a non-2xx response means. A refusal of credentials never repeats the provider's text."""
    status = response.status_code
    head = f"HTTP {status} {complaint.code}".rstrip()
    text = f"{head}: {' '.join(complaint.text.split())[:200]}" if complaint.text else head
    if status in (401, 403) or bad_key:
        return ProviderError(f"{head}: credentials refused", Outcome.UNAUTHORIZED)
    if status in (400, 413, 415, 422):
        return ProviderError(text, Outcome.REJECTED)
    return ProviderError(text, retry=status == 429 or status >= 500)
