"""OpenAI's audio API: /v1/audio/speech and /v1/audio/transcriptions."""

from __future__ import annotations

from typing import Final

import httpx

from app.services.voice_v2.core.config import ProviderType, VoiceConfig
from app.services.voice_v2.providers.base import (
    Complaint,
    ProviderError,
    Recording,
    SpeechOrder,
    complaint_object,
    failure,
    json_object,
)

_VOICES: Final = frozenset(
    ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")
)
_MODELS: Final = frozenset(("tts-1", "tts-1-hd", "gpt-4o-mini-tts"))


class OpenAIProvider:
    """OpenAI, or anything that speaks its audio API at OPENAI_BASE_URL."""

    type = ProviderType.OPENAI

    def __init__(self, config: VoiceConfig, client: httpx.AsyncClient) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {config.provider_keys[self.type]}"}
        self._tts_url = f"{config.tts_urls[self.type]}/v1/audio/speech"
        self._stt_url = f"{config.stt_urls[self.type]}/v1/audio/transcriptions"

    async def synthesize(self, order: SpeechOrder) -> bytes:
        """An audio file in the wanted format."""
        body = {
            "model": order.model if order.model in _MODELS else "tts-1",
            "input": order.text,
            "voice": order.voice if order.voice in _VOICES else "alloy",
            "response_format": order.wanted.value,
        }
        response = await self._client.post(self._tts_url, json=body, headers=self._headers)
        return _checked(response).content

    async def transcribe(self, recording: Recording) -> str:
        """The words in the recording."""
        fields = {"model": "whisper-1", "response_format": "json"}
        if recording.language:
            fields["language"] = recording.language
        kind = recording.info.format
        file = (f"audio.{kind.extension}", recording.data, kind.content_type)
        response = await self._client.post(
            self._stt_url, data=fields, files={"file": file}, headers=self._headers
        )
        text = json_object(_checked(response)).get("text")
        if not isinstance(text, str):
            raise ProviderError("the answer has no text")
        return text.strip()


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    error = complaint_object(response).get("error")
    error = error if isinstance(error, dict) else {}
    code = str(error.get("code") or error.get("type") or "")
    raise failure(response, Complaint(code, str(error.get("message") or "")))
