"""Asking a speech provider directly, in its own wire format, with the credentials that the service would use."""

import msgspec

from target.description import Provider


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One direct question to a provider. `status` 0 means that no answer came; `problem` says why not, without secrets.

    `refused` is whether the provider refused the credentials (401, 403, or its own code for that).
    """

    provider: str
    operation: str  # credentials, tts, stt
    status: int
    seconds: float
    refused: bool
    problem: str | None
    audio: bytes = b""
    text: str = ""


class ProviderClient:
    """A provider with the credentials of an environment. All methods are bounded by `timeout_s` and never raise for a bad answer."""

    def __init__(self, provider: Provider, environment: dict[str, str], *, timeout_s: float = 10.0) -> None:
        """Raises TargetError when the environment lacks the variable that `provider.key` (or `.folder`) names."""
        raise NotImplementedError

    async def credentials(self) -> Asked:
        """The cheapest call that proves the credentials (OpenAI `/v1/models`, Google `/v1/voices`, Yandex a short synthesis)."""
        raise NotImplementedError

    async def speak(self, text: str, language: str) -> Asked:
        """Synthesise; `audio` is WAV or OGG as the provider gives it."""
        raise NotImplementedError

    async def transcribe(self, audio: bytes, language: str) -> Asked:
        """Transcribe an OGG/Opus file (all three providers take it); `text` is the transcript."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close connections."""
        raise NotImplementedError
