"""The stand-in for Google's speech APIs: `/v1/text:synthesize`, `/v1/speech:recognize`, `/v1/voices`.

Shapes follow https://cloud.google.com/text-to-speech/docs/reference/rest and
https://cloud.google.com/speech-to-text/docs/reference/rest, errors google.rpc.Status. As with the real
service, no key is 403, a wrong key is **400** with reason API_KEY_INVALID, and a bearer token that it does
not know is 401. It takes MP3 in recognition, which the real one does in v1p1beta1 only.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from typing import Annotated, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from drills.providers.behaviour import Asked
from drills.providers.catalogue import Provider, language_of
from drills.providers.sound import OPUS_RATES, Clip, UnreadableSoundError, decode, decode_pcm
from drills.providers.wire import (
    FIXED_SPEED,
    RETRY_AFTER_S,
    UNKNOWN_LANGUAGE,
    Kind,
    Recording,
    RefusedError,
    Speech,
    answer,
)

CODECS = {"LINEAR16": "wav", "MP3": "mp3", "OGG_OPUS": "ogg"}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
USUAL_RATE = 24000
CONFIDENCE = 0.98

_T = TypeVar("_T")

Rate = Annotated[int, msgspec.Meta(ge=8000, le=48000)]


class Credentials(msgspec.Struct, frozen=True):
    """Google's API key."""

    api_key: str


class Input(msgspec.Struct, frozen=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=5000)]


class Voice(msgspec.Struct, frozen=True, rename="camel"):
    language_code: str
    name: str | None = None


class AudioConfig(msgspec.Struct, frozen=True, rename="camel"):
    audio_encoding: Literal["LINEAR16", "MP3", "OGG_OPUS"]
    sample_rate_hertz: Rate = USUAL_RATE
    speaking_rate: float = 1.0


class SynthesizeRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `text:synthesize`."""

    input: Input
    voice: Voice
    audio_config: AudioConfig


class RecognitionConfig(msgspec.Struct, frozen=True, rename="camel"):
    language_code: str
    encoding: Literal["ENCODING_UNSPECIFIED", "LINEAR16", "FLAC", "OGG_OPUS", "MP3"] = "ENCODING_UNSPECIFIED"
    sample_rate_hertz: Rate | None = None


class RecognitionAudio(msgspec.Struct, frozen=True):
    content: str


class RecognizeRequest(msgspec.Struct, frozen=True):
    """The body of `speech:recognize`."""

    config: RecognitionConfig
    audio: RecognitionAudio


_USUAL: dict[Kind, tuple[int, str, str]] = {
    "bad_request": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "unauthorized": (
        401,
        "UNAUTHENTICATED",
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
            "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        ),
    ),
    "rate_limited": (
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'All requests' and limit 'All requests per minute'.",
    ),
    "server_error": (500, "INTERNAL", "Internal error encountered."),
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable."),
}
_NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
    "other form of API consumer identity to call this API."
)
_BAD_KEY = "API key not valid. Please pass a valid API key."


def _error(
    code: int, status: str, message: str, details: list[dict[str, str | dict[str, str]]] | None = None
) -> Response:
    body: dict[str, object] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = details
    return answer({"error": body}, code, {"Retry-After": RETRY_AFTER_S} if code == 429 else None)


def _refused(message: str) -> RefusedError:
    return RefusedError(_error(400, "INVALID_ARGUMENT", message))


class Google:
    """Google's dialect."""

    name: Provider = "google"
    routes: tuple[tuple[str, str, Asked], ...] = (
        ("POST", "/v1/text:synthesize", "tts"),
        ("POST", "/v1/speech:recognize", "stt"),
        ("GET", "/v1/voices", "list"),
    )

    def __init__(self, credentials: Credentials) -> None:
        self._expected = credentials.api_key.encode()

    def refusal(self, kind: Kind, message: str | None = None) -> Response:
        code, status, usual = _USUAL[kind]
        return _error(code, status, usual if message is None else message)

    def authorise(self, request: Request) -> None:
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if key is None and "authorization" in request.headers:
            raise RefusedError(self.refusal("unauthorized"))
        if not key:
            raise RefusedError(_error(403, "PERMISSION_DENIED", _NO_KEY))
        if not hmac.compare_digest(key.encode(), self._expected):
            api = "speech" if "speech:" in request.url.path else "texttospeech"
            reason: dict[str, str | dict[str, str]] = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": f"{api}.googleapis.com"},
            }
            raise RefusedError(_error(400, "INVALID_ARGUMENT", _BAD_KEY, [reason]))

    async def read_speech(self, request: Request) -> Speech:
        asked = _decoded(await request.body(), SynthesizeRequest)
        config = asked.audio_config
        if language_of(asked.voice.language_code) is None:
            raise _refused(f"Voice language '{asked.voice.language_code}' is not known. {UNKNOWN_LANGUAGE}")
        if config.speaking_rate != 1:
            raise _refused(FIXED_SPEED)
        rates = {"OGG_OPUS": OPUS_RATES, "MP3": MP3_RATES}.get(config.audio_encoding)
        if rates and config.sample_rate_hertz not in rates:
            raise _refused(f"sample_rate_hertz {config.sample_rate_hertz} is not one of {rates}")
        return Speech(asked.input.text, CODECS[config.audio_encoding], config.sample_rate_hertz)

    async def read_recording(self, request: Request) -> Recording:
        asked = _decoded(await request.body(), RecognizeRequest)
        language = language_of(asked.config.language_code)
        if language is None:
            raise _refused(f"language_code '{asked.config.language_code}' is not known. {UNKNOWN_LANGUAGE}")
        try:
            content = base64.b64decode(asked.audio.content, validate=True)
        except binascii.Error as error:
            raise _refused("Invalid value at 'audio.content' (TYPE_BYTES), Base64 decoding failed") from error
        if not content:
            raise _refused("RecognitionAudio not set.")
        return Recording(_heard(content, asked.config), language)

    def speech(self, asked: Speech, audio: bytes) -> Response:  # noqa: ARG002  (the dialects' interface)
        return answer({"audioContent": base64.b64encode(audio).decode()})

    def transcript(self, asked: Recording, text: str) -> Response:
        billed = {"totalBilledTime": f"{math.ceil(asked.clip.seconds)}s"}
        if not text:
            return answer(billed)
        result = {
            "alternatives": [{"transcript": text, "confidence": CONFIDENCE}],
            "resultEndTime": f"{asked.clip.seconds:.3f}s",
            "languageCode": {"ru": "ru-ru", "en": "en-us", None: ""}[asked.language],
        }
        return answer({"results": [result], **billed})

    def listing(self) -> Response:
        voices = [
            {
                "languageCodes": [tag],
                "name": f"{tag}-Standard-B",
                "ssmlGender": "MALE",
                "naturalSampleRateHertz": USUAL_RATE,
            }
            for tag in ("ru-RU", "en-US")
        ]
        return answer({"voices": voices})


def _decoded(body: bytes, of: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=of)
    except msgspec.ValidationError as error:
        raise _refused(f"Invalid value: {error}") from error
    except msgspec.DecodeError as error:
        raise _refused(f"Invalid JSON payload received. {error}") from error


def _heard(content: bytes, config: RecognitionConfig) -> Clip:
    try:
        if config.encoding == "LINEAR16" and not content.startswith(b"RIFF"):
            if config.sample_rate_hertz is None:
                raise _refused("sample_rate_hertz must be set for LINEAR16 without a header.")
            return decode_pcm(content, config.sample_rate_hertz)
        clip = decode(content)
    except UnreadableSoundError as error:
        raise _refused("Invalid recognition 'config': bad encoding.") from error
    if config.sample_rate_hertz not in (None, clip.rate) and clip.container in ("WAV", "FLAC"):
        raise _refused(
            f"sample_rate_hertz ({config.sample_rate_hertz}) in RecognitionConfig must either be unspecified "
            f"or match the value in the {clip.container} header `{clip.rate}`."
        )
    return clip
