"""Yandex SpeechKit, API version 1: tts:synthesize and stt:recognize."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from app.services.voice_v2.core.audio import encode_pcm, to_pcm
from app.services.voice_v2.core.config import ProviderType, VoiceConfig
from app.services.voice_v2.core.errors import AudioError
from app.services.voice_v2.core.schemas import AudioFormat
from app.services.voice_v2.providers.base import (
    Complaint,
    Outcome,
    ProviderError,
    Recording,
    SpeechOrder,
    complaint_object,
    failure,
    json_object,
)

_LOCALES: Final = {"ru": "ru-RU", "en": "en-US"}
_VOICES: Final = {
    "ru": frozenset(("alena", "filipp", "ermil", "jane", "omazh", "zahar", "marina")),
    "en": frozenset(("john",)),
}
_DEFAULT_VOICE: Final = {"ru": "alena", "en": "john"}
_TTS_RATE: Final = 48000
_STT_RATE: Final = 16000
_LONGEST_S: Final = 30.0  # the limit of synchronous recognition
_LARGEST: Final = 1024 * 1024


class YandexProvider:
    """Yandex SpeechKit, or both its hosts at YANDEX_BASE_URL."""

    type = ProviderType.YANDEX

    def __init__(self, config: VoiceConfig, client: httpx.AsyncClient) -> None:
        self._client = client
        self._folder = config.yandex_folder_id
        self._headers = {"Authorization": f"Api-Key {config.provider_keys[self.type]}"}
        self._tts_url = f"{config.tts_urls[self.type]}/speech/v1/tts:synthesize"
        self._stt_url = f"{config.stt_urls[self.type]}/speech/v1/stt:recognize"

    async def synthesize(self, order: SpeechOrder) -> bytes:
        """An audio file in the wanted format; WAV and FLAC are made from headerless samples."""
        known = order.voice in _VOICES[order.language]
        fields = {
            "text": order.text,
            "lang": _LOCALES[order.language],
            "voice": order.voice if known else _DEFAULT_VOICE[order.language],
            "folderId": self._folder,
            "format": {AudioFormat.OPUS: "oggopus", AudioFormat.MP3: "mp3"}.get(order.wanted, "lpcm"),
        }
        if fields["format"] == "lpcm":
            fields["sampleRateHertz"] = str(_TTS_RATE)
        response = await self._client.post(self._tts_url, data=fields, headers=self._headers)
        audio = _checked(response).content
        if fields["format"] != "lpcm":
            return audio
        try:
            return await asyncio.to_thread(encode_pcm, audio, _TTS_RATE, order.wanted)
        except AudioError as error:
            raise ProviderError(f"the answer cannot be used: {error}") from error

    async def transcribe(self, recording: Recording) -> str:
        """The words in the recording, sent as OGG Opus where it is that, else as samples."""
        if recording.info.seconds > _LONGEST_S:
            raise ProviderError(f"the audio is longer than {_LONGEST_S:.0f} s", Outcome.REJECTED)
        query = {
            "lang": _LOCALES[recording.language] if recording.language else "auto",
            "folderId": self._folder,
        }
        data = recording.data
        if recording.info.subtype == "OPUS" and len(data) <= _LARGEST:
            query["format"] = "oggopus"
        else:
            data = await asyncio.to_thread(to_pcm, data, _STT_RATE)
            query |= {"format": "lpcm", "sampleRateHertz": str(_STT_RATE)}
        response = await self._client.post(self._stt_url, params=query, content=data, headers=self._headers)
        text = json_object(_checked(response)).get("result")
        if not isinstance(text, str):
            raise ProviderError("the answer has no result")
        return text.strip()


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    body = complaint_object(response)
    code = str(body.get("error_code") or body.get("code") or "")
    text = str(body.get("error_message") or body.get("message") or "")
    raise failure(response, Complaint(code, text))
