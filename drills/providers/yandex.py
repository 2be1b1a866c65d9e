"""The stand-in for Yandex SpeechKit v1: `/speech/v1/tts:synthesize` and `/speech/v1/stt:recognize`.

Shapes follow https://yandex.cloud/docs/speechkit/ (API v1) and its table of response codes. As the real
service, it recognises OGG Opus and headerless LPCM only, up to 1 MB and 30 s.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from drills.providers.behaviour import Asked
from drills.providers.catalogue import Language, Provider, language_of
from drills.providers.sound import Clip, UnreadableSoundError, decode, decode_pcm
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

CODECS = {"oggopus": ("ogg", "audio/ogg"), "lpcm": ("pcm", "audio/x-pcm"), "mp3": ("mp3", "audio/mpeg")}
RATES = {"8000": 8000, "16000": 16000, "48000": 48000}
LARGEST = 1024 * 1024
LONGEST_S = 30.0
LONGEST_TEXT = 5000
_OTHER_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3")


class Credentials(msgspec.Struct, frozen=True):
    """A service account's API key and the folder that it belongs to."""

    api_key: str
    folder_id: str


class ErrorBody(msgspec.Struct, frozen=True):
    error_code: str
    error_message: str


_USUAL: dict[Kind, tuple[int, ErrorBody]] = {
    "bad_request": (400, ErrorBody("BAD_REQUEST", "rpc error: code = InvalidArgument desc = bad request")),
    "unauthorized": (
        401,
        ErrorBody("UNAUTHORIZED", "rpc error: code = Unauthenticated desc = Unknown api key '********'"),
    ),
    "rate_limited": (
        429,
        ErrorBody("TOO_MANY_REQUESTS", "rpc error: code = ResourceExhausted desc = Request limit exceeded"),
    ),
    "server_error": (
        500,
        ErrorBody("INTERNAL_SERVER_ERROR", "rpc error: code = Internal desc = Internal error"),
    ),
    "unavailable": (
        503,
        ErrorBody("SERVICE_UNAVAILABLE", "rpc error: code = Unavailable desc = Service unavailable"),
    ),
}


def _error(status: int, body: ErrorBody) -> Response:
    return answer(body, status, {"Retry-After": RETRY_AFTER_S} if status == 429 else None)


def _refused(reason: str) -> RefusedError:
    message = f"rpc error: code = InvalidArgument desc = {reason}"
    return RefusedError(_error(400, ErrorBody("BAD_REQUEST", message)))


class Yandex:
    """Yandex's dialect."""

    name: Provider = "yandex"
    routes: tuple[tuple[str, str, Asked], ...] = (
        ("POST", "/speech/v1/tts:synthesize", "tts"),
        ("POST", "/speech/v1/stt:recognize", "stt"),
    )

    def __init__(self, credentials: Credentials) -> None:
        self._expected = f"Api-Key {credentials.api_key}".encode()
        self._folder = credentials.folder_id

    def refusal(self, kind: Kind, message: str | None = None) -> Response:
        status, usual = _USUAL[kind]
        return _error(
            status, usual if message is None else msgspec.structs.replace(usual, error_message=message)
        )

    def authorise(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            message = "rpc error: code = Unauthenticated desc = Authorization header is missing"
            raise RefusedError(self.refusal("unauthorized", message))
        if not hmac.compare_digest(given.encode(), self._expected):
            raise RefusedError(self.refusal("unauthorized"))

    def _check_folder(self, folder: str | None) -> None:
        if folder is not None and folder != self._folder:
            message = (
                f"rpc error: code = Unauthenticated desc = Specified folder ID '{folder}' does not match "
                f"with service account folder ID '{self._folder}'"
            )
            raise RefusedError(self.refusal("unauthorized", message))

    async def read_speech(self, request: Request) -> Speech:
        try:
            form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        except UnicodeDecodeError as error:
            raise _refused("the form is not UTF-8") from error
        self._check_folder(form.get("folderId"))
        text = form.get("text", "")
        if not text:
            raise _refused("One of 'text' or 'ssml' parameters should be specified")
        if len(text) > LONGEST_TEXT:
            raise _refused(f"Text is too long: {len(text)} > {LONGEST_TEXT}")
        _language(form.get("lang", "ru-RU"))
        if form.get("speed", "1.0") not in ("1", "1.0"):
            raise _refused(FIXED_SPEED)
        codec = CODECS.get(form.get("format", "oggopus"))
        if codec is None:
            raise _refused(f"Unknown format, must be one of {', '.join(CODECS)}")
        rate = _rate(form.get("sampleRateHertz", "48000")) if codec[0] == "pcm" else 48000
        return Speech(text, codec[0], rate)

    async def read_recording(self, request: Request) -> Recording:
        query = request.query_params
        self._check_folder(query.get("folderId"))
        language = _language(query.get("lang", "ru-RU"))
        shape = query.get("format", "oggopus")
        if shape not in ("oggopus", "lpcm"):
            raise _refused(f"unsupported audio format '{shape}', must be oggopus or lpcm")
        body = await request.body()
        if not body:
            raise _refused("audio is empty")
        if len(body) > LARGEST:
            raise _refused(f"audio is too large: {len(body)} bytes, at most {LARGEST}")
        clip = _lpcm(body, _rate(query.get("sampleRateHertz", "48000"))) if shape == "lpcm" else _opus(body)
        if clip.seconds > LONGEST_S:
            raise _refused(f"audio is too long: {clip.seconds:.1f} s, at most {LONGEST_S:.0f} s")
        return Recording(clip, language)

    def speech(self, asked: Speech, audio: bytes) -> Response:
        return Response(audio, media_type=next(m for codec, m in CODECS.values() if codec == asked.codec))

    def transcript(self, asked: Recording, text: str) -> Response:  # noqa: ARG002  (the dialects' interface)
        return answer({"result": text})

    def listing(self) -> Response:
        """Never asked: SpeechKit v1 lists nothing."""
        raise NotImplementedError


def _language(tag: str) -> Language:
    language = language_of(tag)
    if language is None:
        raise _refused(f"unsupported language '{tag}'. {UNKNOWN_LANGUAGE}")
    return language


def _rate(text: str) -> int:
    if text not in RATES:
        raise _refused(f"unsupported sampleRateHertz '{text}', must be one of {', '.join(RATES)}")
    return RATES[text]


def _lpcm(body: bytes, rate: int) -> Clip:
    if body.startswith(_OTHER_FILES):
        raise _refused("audio is a file with a header, lpcm must have none")
    try:
        return decode_pcm(body, rate)
    except UnreadableSoundError as error:
        raise _refused(str(error)) from error


def _opus(body: bytes) -> Clip:
    if not body.startswith(b"OggS"):
        raise _refused("ogg header has not been found")
    try:
        return decode(body)
    except UnreadableSoundError as error:
        raise _refused("ogg stream is broken") from error
