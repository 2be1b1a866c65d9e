"""HTTP in and out: what a request may carry, and how results and errors look."""

from __future__ import annotations

import hmac
import traceback

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from app.services.voice_v2.core.config import ProviderType, VoiceConfig
from app.services.voice_v2.core.errors import (
    InvalidRequestError,
    TooLargeError,
    UnauthorizedError,
    VoiceError,
)
from app.services.voice_v2.core.schemas import AudioFormat, STTRequest, STTResult, TTSRequest, TTSResult

_FORM_OVERHEAD = 64 * 1024
_LARGEST_JSON = 256 * 1024


class SpeechBody(BaseModel):
    """The JSON body of /v1/audio/speech."""

    input: str
    model: str | None = None
    voice: str | None = None
    language: str | None = None
    response_format: AudioFormat = AudioFormat.WAV


def authorize(request: Request, config: VoiceConfig) -> None:
    """Raises UnauthorizedError: the bearer token is missing or not the configured one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        token.strip().encode(), config.api_token.encode()
    ):
        raise UnauthorizedError("the bearer token is missing or wrong")


def _skipped(request: Request) -> frozenset[ProviderType]:
    listed = request.headers.get("x-voice-skip-providers", "")
    names = {name.strip().lower() for name in listed.split(",") if name.strip()}
    unknown = names - set(ProviderType)
    if unknown:
        raise InvalidRequestError(
            f"X-Voice-Skip-Providers names an unknown provider; known: {', '.join(ProviderType)}"
        )
    return frozenset(ProviderType(name) for name in names)


def _limited(request: Request, limit: int) -> Request:
    """The same request, refused with TooLargeError as soon as its body passes `limit` bytes."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes")
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLargeError(f"the body is larger than {limit} bytes")
        return message

    return Request(request.scope, receive)


async def read_speech(request: Request) -> TTSRequest:
    """Raises VoiceError: the body is not what /v1/audio/speech takes."""
    try:
        body = SpeechBody.model_validate_json(await _limited(request, _LARGEST_JSON).body())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidRequestError(f"{where}: {first['msg']}") from None
    return TTSRequest(
        text=body.input,
        language=body.language,
        voice=body.voice,
        model=body.model,
        response_format=body.response_format,
        client=request.headers.get("x-voice-client"),
        skip_providers=_skipped(request),
    )


async def read_recording(request: Request, config: VoiceConfig) -> STTRequest:
    """Raises VoiceError: the form is not what /v1/audio/transcriptions takes."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidRequestError("the body is not multipart/form-data")
    limited = _limited(request, config.max_audio_bytes + _FORM_OVERHEAD)
    try:
        async with limited.form(max_files=1, max_fields=16) as form:
            file, language = form.get("file"), form.get("language")
            if not isinstance(file, UploadFile):
                raise InvalidRequestError("the form has no file")
            if (file.size or 0) > config.max_audio_bytes:
                raise TooLargeError(f"the audio is larger than {config.max_audio_bytes} bytes")
            data = await file.read()
    except HTTPException as error:
        raise InvalidRequestError(f"the form cannot be read: {error.detail}") from None
    return STTRequest(
        audio_data=data,
        language=language if isinstance(language, str) and language else None,
        client=request.headers.get("x-voice-client"),
        skip_providers=_skipped(request),
    )


def _headers(result: STTResult | TTSResult) -> dict[str, str]:
    return {
        "X-Voice-Provider": result.provider,
        "X-Voice-Request-Id": str(result.request_id),
        "X-Voice-Audio-Key": result.audio_key,
    }


def speech_response(result: TTSResult) -> Response:
    """The audio, with who spoke it and where it is kept in the headers."""
    return Response(
        result.audio_data, media_type=result.response_format.content_type, headers=_headers(result)
    )


def transcript_response(result: STTResult) -> Response:
    """The transcript, with who wrote it and where the audio is kept in the headers."""
    return JSONResponse({"text": result.text}, headers=_headers(result))


def error_response(error: VoiceError, config: VoiceConfig) -> Response:
    """OpenAI's error body, without secrets; with a traceback only when DEBUG is on."""
    body: dict[str, str] = {"message": config.scrub(str(error)), "type": error.type, "code": error.code}
    if config.debug:
        body["traceback"] = config.scrub("".join(traceback.format_exception(error)))
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, UnauthorizedError) else None
    return JSONResponse({"error": body}, error.status, headers)
