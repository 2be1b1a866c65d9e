"""Does each provider really answer, with the credentials of this environment?"""

from __future__ import annotations

import asyncio
from typing import Final, TypedDict

import numpy as np

from app.services.voice_v2.core.audio import encode, inspect
from app.services.voice_v2.core.config import ProviderType, VoiceConfig, get_config
from app.services.voice_v2.core.schemas import AudioFormat, Operation
from app.services.voice_v2.providers.base import Provider, ProviderError, Recording, SpeechOrder
from app.services.voice_v2.providers.chain import ask_once, build_client, build_providers, enabled_providers

_TEXT: Final = "Короткий тест"
_RATE: Final = 16000


class ProviderConnectivity(TypedDict):
    """Names of providers, and for each that failed its reasons by operation."""

    checked_providers: list[str]
    failed_providers: list[str]
    errors: dict[str, dict[str, str]]


class ProductionValidator:
    """Asks the providers directly: no fallback, no retries, nothing stored."""

    async def validate_provider_connectivity(self) -> ProviderConnectivity:
        """Let every enabled provider speak two words and transcribe half a second of silence.

        Raises:
            ConfigError: the environment of this process cannot be used.
        """
        config = get_config()
        pairs = [
            (each, operation) for operation in Operation for each in enabled_providers(config, operation)
        ]
        async with build_client(config) as client:
            providers = build_providers(config, client)
            reasons = await asyncio.gather(
                *(_reason(config, providers[each], operation) for each, operation in pairs)
            )
        errors: dict[str, dict[str, str]] = {}
        for (provider, operation), reason in zip(pairs, reasons, strict=True):
            if reason is not None:
                errors.setdefault(provider.value, {})[operation.value] = config.scrub(reason)
        checked = {provider for provider, _ in pairs}
        return {
            "checked_providers": [provider.value for provider in ProviderType if provider in checked],
            "failed_providers": [provider.value for provider in ProviderType if provider.value in errors],
            "errors": errors,
        }


async def _reason(config: VoiceConfig, provider: Provider, operation: Operation) -> str | None:
    """Why the provider cannot be used for the operation, None where it can."""
    try:
        if operation is Operation.TTS:
            order = SpeechOrder(_TEXT, "ru", None, None, AudioFormat.WAV)
            audio = await ask_once(provider, lambda each: each.synthesize(order), config.provider_timeout_s)
            return None if audio else "the answer is empty"
        silence = encode(np.zeros(_RATE // 2, dtype=np.float32), _RATE, AudioFormat.WAV)
        recording = Recording(silence, inspect(silence), "ru")
        await ask_once(provider, lambda each: each.transcribe(recording), config.provider_timeout_s)
    except ProviderError as error:
        return str(error)
    return None
