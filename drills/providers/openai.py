"""The stand-in for OpenAI's audio API: `/v1/audio/speech`, `/v1/audio/transcriptions`, `/v1/models`.

Shapes and messages follow https://platform.openai.com/docs/api-reference/audio and the errors that the real
service returns. It says and recognises the catalogue only, and at speed 1.0 only.
"""

from __future__ import annotations

import hmac
from typing import Annotated

import msgspec
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from drills.providers.behaviour import Asked
from drills.providers.catalogue import Language, Provider, language_of
from drills.providers.sound import Clip, UnreadableSoundError, decode
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

TTS_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
STT_MODELS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")
MEDIA = {
    "mp3": ("mp3", 24000, "audio/mpeg"),
    "opus": ("ogg", 48000, "audio/opus"),
    "flac": ("flac", 24000, "audio/flac"),
    "wav": ("wav", 24000, "audio/wav"),
    "pcm": ("pcm", 24000, "audio/pcm"),
}
FORMS = ("json", "text", "verbose_json")
LARGEST = 26_214_400
SHORTEST_S = 0.1
_NAMES: dict[Language, str] = {"ru": "russian", "en": "english"}


class Credentials(msgspec.Struct, frozen=True):
    """OpenAI's secret key."""

    api_key: str


class ErrorBody(msgspec.Struct, frozen=True):
    """The inside of `{"error": …}`."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class SpeechRequest(msgspec.Struct, frozen=True):
    """The body of `/v1/audio/speech`."""

    model: str
    input: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    voice: str
    response_format: str = "mp3"
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=4.0)] = 1.0


_USUAL: dict[Kind, tuple[int, ErrorBody]] = {
    "bad_request": (400, ErrorBody("Invalid request.", "invalid_request_error")),
    "unauthorized": (
        401,
        ErrorBody(
            "Incorrect API key provided: ********. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            "invalid_request_error",
            code="invalid_api_key",
        ),
    ),
    "rate_limited": (
        429,
        ErrorBody(
            "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. "
            "Please try again in 1s.",
            "requests",
            code="rate_limit_exceeded",
        ),
    ),
    "server_error": (
        500,
        ErrorBody("The server had an error while processing your request. Sorry about that!", "server_error"),
    ),
    "unavailable": (
        503,
        ErrorBody("The engine is currently overloaded, please try again later.", "server_error"),
    ),
}
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using "
    "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)


def _refused(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400
) -> RefusedError:
    return RefusedError(_error(status, ErrorBody(message, "invalid_request_error", param, code)))


def _error(status: int, body: ErrorBody) -> Response:
    return answer({"error": body}, status, {"Retry-After": RETRY_AFTER_S} if status == 429 else None)


def _no_model(model: str) -> RefusedError:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return _refused(message, code="model_not_found", status=404)


class OpenAI:
    """OpenAI's dialect."""

    name: Provider = "openai"
    routes: tuple[tuple[str, str, Asked], ...] = (
        ("POST", "/v1/audio/speech", "tts"),
        ("POST", "/v1/audio/transcriptions", "stt"),
        ("GET", "/v1/models", "list"),
    )

    def __init__(self, credentials: Credentials) -> None:
        self._expected = f"Bearer {credentials.api_key}".encode()

    def refusal(self, kind: Kind, message: str | None = None) -> Response:
        status, usual = _USUAL[kind]
        return _error(status, usual if message is None else msgspec.structs.replace(usual, message=message))

    def authorise(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            raise RefusedError(_error(401, ErrorBody(_NO_KEY, "invalid_request_error")))
        if not hmac.compare_digest(given.encode(), self._expected):
            raise RefusedError(self.refusal("unauthorized"))

    async def read_speech(self, request: Request) -> Speech:
        try:
            asked = msgspec.json.decode(await request.body(), type=SpeechRequest)
        except msgspec.DecodeError as error:
            raise _refused(f"We could not parse the JSON body of your request: {error}") from error
        if asked.model not in TTS_MODELS:
            raise _no_model(asked.model)
        if asked.voice not in VOICES:
            raise _refused(f"Input should be one of {', '.join(VOICES)}", param="voice")
        if asked.response_format not in MEDIA:
            raise _refused(f"Input should be one of {', '.join(MEDIA)}", param="response_format")
        if asked.speed != 1:
            raise _refused(FIXED_SPEED, param="speed")
        codec, rate, _ = MEDIA[asked.response_format]
        return Speech(asked.input, codec, rate)

    async def read_recording(self, request: Request) -> Recording:
        try:
            form = await request.form(max_files=4, max_fields=20)
        except HTTPException as error:
            raise _refused(f"Could not parse multipart form: {error.detail}") from error
        file, model = form.get("file"), str(form.get("model", ""))
        language, shape = str(form.get("language", "")), str(form.get("response_format", "json"))
        if not isinstance(file, UploadFile):
            raise _refused(
                "Missing required parameter: 'file'.", param="file", code="missing_required_parameter"
            )
        if not model:
            raise _refused(
                "Missing required parameter: 'model'.", param="model", code="missing_required_parameter"
            )
        if model not in STT_MODELS:
            raise _no_model(model)
        if shape not in FORMS:
            raise _refused(f"Input should be one of {', '.join(FORMS)}", param="response_format")
        known = language_of(language)
        if language and known is None:
            raise _refused(f"Invalid language '{language}'. {UNKNOWN_LANGUAGE}", param="language")
        return Recording(_heard(await file.read()), known, shape)

    def speech(self, asked: Speech, audio: bytes) -> Response:
        media = next(m for codec, rate, m in MEDIA.values() if (codec, rate) == (asked.codec, asked.rate))
        return Response(audio, media_type=media)

    def transcript(self, asked: Recording, text: str) -> Response:
        if asked.form == "text":
            return PlainTextResponse(text + "\n")
        if asked.form == "json":
            return answer({"text": text})
        seconds = round(asked.clip.seconds, 2)
        segments = [{"id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text}] if text else []
        language = _NAMES[asked.language or ("ru" if _is_cyrillic(text) else "en")]
        return answer(
            {
                "task": "transcribe",
                "language": language,
                "duration": seconds,
                "text": text,
                "segments": segments,
            }
        )

    def listing(self) -> Response:
        models = [
            {"id": model, "object": "model", "created": 1677532384, "owned_by": "openai-internal"}
            for model in (*TTS_MODELS, *STT_MODELS)
        ]
        return answer({"object": "list", "data": models})


def _is_cyrillic(text: str) -> bool:
    return any("а" <= letter <= "я" for letter in text.casefold())


def _heard(data: bytes) -> Clip:
    if len(data) > LARGEST:
        message = f"Maximum content size limit ({LARGEST}) exceeded ({len(data)} bytes read)"
        raise _refused(message, status=413)
    try:
        clip = decode(data)
    except UnreadableSoundError as error:
        supported = "['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']"
        raise _refused(f"Invalid file format. Supported formats: {supported}") from error
    if clip.seconds < SHORTEST_S:
        message = f"Audio file is too short. Minimum audio length is {SHORTEST_S} seconds."
        raise _refused(message, param="file", code="audio_too_short")
    return clip
