"""What can go wrong with a request, and the HTTP status that says so."""

from __future__ import annotations

from typing import ClassVar


class VoiceError(Exception):
    """A request that cannot be served; `status` is its HTTP status, `code` what a program reads."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"


class ConfigError(VoiceError):
    """A setting is missing or wrong; the text names its key, never its value."""

    code = "configuration"


class InvalidRequestError(VoiceError):
    """The caller asked for something that cannot be."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class AudioError(InvalidRequestError):
    """The audio is empty or holds no sound."""

    code = "invalid_audio"


class UnsupportedAudioError(AudioError):
    """The audio is in no format that the service reads."""

    status = 415
    code = "unsupported_audio"


class TooLargeError(InvalidRequestError):
    """The body is larger than MAX_AUDIO_BYTES."""

    status = 413
    code = "audio_too_large"


class UnauthorizedError(InvalidRequestError):
    """The bearer token is missing or wrong."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class InputRejectedError(InvalidRequestError):
    """Every provider that was asked refused the input itself."""

    code = "rejected_by_providers"


class ProvidersFailedError(VoiceError):
    """Every provider that was asked failed; the text has a reason for each."""

    status = 502
    type = "provider_error"
    code = "all_providers_failed"


class NoProviderError(VoiceError):
    """No provider was left to ask: all are skipped, disabled or behind an open circuit."""

    status = 503
    type = "provider_error"
    code = "no_provider_available"


class StorageError(VoiceError):
    """The audio or its row could not be stored."""

    status = 503
    type = "storage_error"
    code = "storage_unavailable"


class DatabaseError(StorageError):
    """The database gave no connection, or refused the row."""

    code = "database_unavailable"


class ShuttingDownError(VoiceError):
    """The process was told to stop while the request was under way."""

    status = 503
    code = "shutting_down"
