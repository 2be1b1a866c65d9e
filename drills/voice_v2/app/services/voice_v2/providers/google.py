"""Google Cloud: text:synthesize and speech:recognize, both version 1 with an API key."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final

import httpx

from app.services.voice_v2.core.audio import convert
from app.services.voice_v2.core.config import ProviderType, VoiceConfig
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
_ENCODINGS: Final = {
    AudioFormat.WAV: "LINEAR16",
    AudioFormat.FLAC: "LINEAR16",  # version 1 does not speak FLAC: converted afterwards
    AudioFormat.MP3: "MP3",
    AudioFormat.OPUS: "OGG_OPUS",
}
_LONGEST_S: Final = 60.0  # the limit of synchronous recognition
_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)


class GoogleProvider:
    """Google Cloud Text-to-Speech and Speech-to-Text, or both at GOOGLE_BASE_URL."""

    type = ProviderType.GOOGLE

    def __init__(self, config: VoiceConfig, client: httpx.AsyncClient) -> None:
        self._client = client
        self._headers = {"X-Goog-Api-Key": config.provider_keys[self.type]}
        self._tts_url = f"{config.tts_urls[self.type]}/v1/text:synthesize"
        self._stt_url = f"{config.stt_urls[self.type]}/v1/speech:recognize"

    async def synthesize(self, order: SpeechOrder) -> bytes:
        """An audio file: WAV, MP3 or OGG Opus; WAV where FLAC is wanted."""
        locale = _LOCALES[order.language]
        voice = {"languageCode": locale}
        if order.voice and order.voice.startswith(f"{locale}-"):
            voice["name"] = order.voice
        body = {
            "input": {"text": order.text},
            "voice": voice,
            "audioConfig": {"audioEncoding": _ENCODINGS[order.wanted]},
        }
        response = await self._client.post(self._tts_url, json=body, headers=self._headers)
        content = json_object(_checked(response)).get("audioContent")
        try:
            return base64.b64decode(str(content or ""), validate=True)
        except (binascii.Error, ValueError):
            raise ProviderError("audioContent is not base64") from None

    async def transcribe(self, recording: Recording) -> str:
        """The words in the recording; without a language it is taken for Russian."""
        if recording.info.seconds > _LONGEST_S:
            raise ProviderError(f"the audio is longer than {_LONGEST_S:.0f} s", Outcome.REJECTED)
        data, settings = await _readable(recording)
        settings["languageCode"] = _LOCALES[recording.language or "ru"]
        body = {"config": settings, "audio": {"content": base64.b64encode(data).decode()}}
        response = await self._client.post(self._stt_url, json=body, headers=self._headers)
        results = json_object(_checked(response)).get("results") or []
        try:
            return " ".join(result["alternatives"][0]["transcript"].strip() for result in results)  # type: ignore[attr-defined]  # foreign JSON; what is not there is caught below
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ProviderError("the answer has no transcript") from None


async def _readable(recording: Recording) -> tuple[bytes, dict[str, object]]:
    """The recording as version 1 reads it (MP3, float samples and several channels it does not)."""
    info = recording.info
    if info.channels == 1 and info.subtype == "PCM_16":
        kind = "FLAC" if info.format is AudioFormat.FLAC else "LINEAR16"
        return recording.data, {"encoding": kind, "sampleRateHertz": info.rate}
    if info.channels == 1 and info.subtype == "OPUS" and info.rate in _OPUS_RATES:
        return recording.data, {"encoding": "OGG_OPUS", "sampleRateHertz": info.rate}
    flac = await asyncio.to_thread(convert, recording.data, AudioFormat.FLAC)
    return flac, {"encoding": "FLAC", "sampleRateHertz": info.rate}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    error = complaint_object(response).get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    reasons = (
        [each.get("reason") for each in details if isinstance(each, dict)]
        if isinstance(details, list)
        else []
    )
    message = str(error.get("message") or "")
    # A wrong key is a 400 here, told apart by its reason only.
    bad_key = "API_KEY_INVALID" in reasons or message.startswith("API key not valid")
    raise failure(response, Complaint(str(error.get("status") or ""), message), bad_key=bad_key)
