"""The wire formats of the speech providers: what is sent, what comes back, how each says no."""

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

_LOCALES = {"ru": "ru-RU", "en": "en-US"}
# Of the catalogue of the stand-ins too, which say nothing else.
_SHORT_TEXT = "Короткий тест"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request: `base` is a URL without a path; the rest is as `target.http.Http.ask` takes it."""

    method: str = "POST"
    base: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str] | None = None
    json: Any = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    content: bytes | None = None


class Complaint(msgspec.Struct, frozen=True):
    """How a provider said no: its own code and message, and whether it is the credentials that it refuses."""

    code: str
    message: str
    refused: bool


class Dialect(Protocol):
    """One provider. `spoken` and `heard` raise ValueError saying what is wrong with a body that came with a 2xx."""

    def credentials(self) -> Question: ...

    def speak(self, text: str, language: str) -> Question: ...

    def transcribe(self, audio: bytes, language: str) -> Question: ...

    def spoken(self, body: bytes) -> bytes: ...

    def heard(self, body: bytes) -> str: ...

    def complaint(self, status: int, body: bytes) -> Complaint: ...


class OpenAi:
    """https://platform.openai.com/docs/api-reference/audio: bearer key, `{"error": {code, type, message}}`."""

    def __init__(self, key: str, url: str | None) -> None:
        self._base = (url or "https://api.openai.com").rstrip("/").removesuffix("/v1")
        self._headers = {"authorization": f"Bearer {key}"}

    def credentials(self) -> Question:
        """The list of models."""
        return Question(method="GET", base=self._base, path="/v1/models", headers=self._headers)

    def speak(self, text: str, language: str) -> Question:  # noqa: ARG002  (OpenAI tells it by the text)
        """WAV."""
        body = {"model": "tts-1", "input": text, "voice": "alloy", "response_format": "wav"}
        return Question(base=self._base, path="/v1/audio/speech", headers=self._headers, json=body)

    def transcribe(self, audio: bytes, language: str) -> Question:
        """The file as multipart."""
        return Question(
            base=self._base,
            path="/v1/audio/transcriptions",
            headers=self._headers,
            form={"model": "whisper-1", "language": language[:2], "response_format": "json"},
            files={"file": ("audio.ogg", audio, "audio/ogg")},
        )

    def spoken(self, body: bytes) -> bytes:
        """The body is the audio."""
        return body

    def heard(self, body: bytes) -> str:
        """`text` of the JSON object."""
        return _text(_object(body), "text")

    def complaint(self, status: int, body: bytes) -> Complaint:
        """401 and 403, or the code `invalid_api_key`, are about the credentials."""
        error = _within(body, "error")
        code = str(error.get("code") or error.get("type") or "")
        return Complaint(
            code, str(error.get("message") or ""), status in {401, 403} or code == "invalid_api_key"
        )


class Google:
    """https://cloud.google.com/speech-to-text/docs/reference/rest and text-to-speech, v1, with an API key.

    Errors are google.rpc.Status; a wrong key is a 400 whose details have the reason API_KEY_INVALID.
    """

    def __init__(self, key: str, url: str | None) -> None:
        base = url.rstrip("/") if url else None
        self._speech = base or "https://texttospeech.googleapis.com"
        self._recognition = base or "https://speech.googleapis.com"
        self._headers = {"x-goog-api-key": key}

    def credentials(self) -> Question:
        """The list of voices."""
        return Question(method="GET", base=self._speech, path="/v1/voices", headers=self._headers)

    def speak(self, text: str, language: str) -> Question:
        """WAV."""
        body = {
            "input": {"text": text},
            "voice": {"languageCode": _LOCALES.get(language, language)},
            "audioConfig": {"audioEncoding": "LINEAR16"},
        }
        return Question(base=self._speech, path="/v1/text:synthesize", headers=self._headers, json=body)

    def transcribe(self, audio: bytes, language: str) -> Question:
        """The file in base64, with the sample rate that its header states."""
        config = {
            "encoding": "OGG_OPUS",
            "sampleRateHertz": _opus_rate(audio),
            "languageCode": _LOCALES.get(language, language),
        }
        body = {"config": config, "audio": {"content": base64.b64encode(audio).decode()}}
        return Question(base=self._recognition, path="/v1/speech:recognize", headers=self._headers, json=body)

    def spoken(self, body: bytes) -> bytes:
        """`audioContent` of the JSON object."""
        try:
            return base64.b64decode(_text(_object(body), "audioContent"), validate=True)
        except binascii.Error:
            raise ValueError("audioContent is not base64") from None

    def heard(self, body: bytes) -> str:
        """The first alternative of each result; no results are silence."""
        try:
            results = msgspec.convert(_object(body).get("results", []), list[_Result])
        except msgspec.ValidationError as error:
            raise ValueError(f"results are not what they should be: {error}") from None
        best = (result.alternatives[0].transcript.strip() for result in results if result.alternatives)
        return " ".join(text for text in best if text)

    def complaint(self, status: int, body: bytes) -> Complaint:
        """401 and 403, or a reason `API_KEY_…`, are about the credentials."""
        error = _within(body, "error")
        details = error.get("details")
        listed = details if isinstance(details, list) else []
        reasons = [str(one["reason"]) for one in listed if isinstance(one, dict) and one.get("reason")]
        message = str(error.get("message") or "")
        bad_key = any(one.startswith("API_KEY_") for one in reasons) or message.startswith(
            "API key not valid"
        )
        code = " ".join([str(error.get("status") or ""), *reasons]).strip()
        return Complaint(code, message, status in {401, 403} or bad_key)


class Yandex:
    """https://yandex.cloud/docs/speechkit/ API v1: an API key or an IAM token, `{error_code, error_message}`."""

    def __init__(self, key: str, folder: str | None, url: str | None) -> None:
        base = url.rstrip("/") if url else None
        self._speech = base or "https://tts.api.cloud.yandex.net"
        self._recognition = base or "https://stt.api.cloud.yandex.net"
        self._headers = {"authorization": f"Bearer {key}" if key.startswith("t1.") else f"Api-Key {key}"}
        self._folder = {"folderId": folder} if folder is not None else {}

    def credentials(self) -> Question:
        """There is no listing: a short synthesis."""
        return self.speak(_SHORT_TEXT, "ru")

    def speak(self, text: str, language: str) -> Question:
        """OGG Opus."""
        form = {
            "text": text,
            "lang": _LOCALES.get(language, language),
            "voice": "alena" if language.startswith("ru") else "john",
            "format": "oggopus",
            **self._folder,
        }
        return Question(base=self._speech, path="/speech/v1/tts:synthesize", headers=self._headers, form=form)

    def transcribe(self, audio: bytes, language: str) -> Question:
        """The file as the body."""
        query = {"lang": _LOCALES.get(language, language), "format": "oggopus", **self._folder}
        return Question(
            base=self._recognition,
            path="/speech/v1/stt:recognize",
            headers=self._headers,
            query=query,
            content=audio,
        )

    def spoken(self, body: bytes) -> bytes:
        """The body is the audio."""
        return body

    def heard(self, body: bytes) -> str:
        """`result` of the JSON object."""
        return _text(_object(body), "result")

    def complaint(self, status: int, body: bytes) -> Complaint:
        """401 and 403, or the code UNAUTHORIZED, are about the credentials."""
        error = _within(body)
        code = str(error.get("error_code") or error.get("code") or "")
        message = str(error.get("error_message") or error.get("message") or "")
        return Complaint(code, message, status in {401, 403} or code == "UNAUTHORIZED")


class _Alternative(msgspec.Struct, frozen=True):
    transcript: str = ""


class _Result(msgspec.Struct, frozen=True):
    alternatives: list[_Alternative] = []


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    if not isinstance(told, dict):
        raise ValueError("the answer is not a JSON object")  # noqa: TRY004  (the interface's one error)
    return told


def _within(body: bytes, name: str | None = None) -> dict[str, Any]:
    """The object of an error body, empty where it is not of the provider's own shape (a gateway's page, say)."""
    try:
        told = _object(body)
    except ValueError:
        return {}
    inner = told if name is None else told.get(name)
    return inner if isinstance(inner, dict) else {}


def _text(where: dict[str, Any], name: str) -> str:
    value = where.get(name)
    if not isinstance(value, str):
        raise ValueError(f"the answer has no {name}")  # noqa: TRY004  (the interface's one error)
    return value.strip()


def _opus_rate(audio: bytes) -> int:
    """The input rate in an OpusHead (RFC 7845, 5.1), where it is one that Google takes."""
    at = audio.find(b"OpusHead")
    if at >= 0 and len(audio) >= at + 16:
        rate = int(struct.unpack_from("<I", audio, at + 12)[0])
        if rate in {8000, 12000, 16000, 24000, 48000}:
            return rate
    return 48000
