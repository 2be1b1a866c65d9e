"""Ask the providers in priority order: timeout, retries, circuit breaker, fallback."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from app.services.voice_v2 import metrics
from app.services.voice_v2.core.config import ProviderType, VoiceConfig, get_config
from app.services.voice_v2.core.errors import (
    AudioError,
    InputRejectedError,
    NoProviderError,
    ProvidersFailedError,
)
from app.services.voice_v2.core.schemas import Operation
from app.services.voice_v2.providers.base import Outcome, Provider, ProviderError
from app.services.voice_v2.providers.circuit import Circuit, Sightings
from app.services.voice_v2.providers.google import GoogleProvider
from app.services.voice_v2.providers.openai import OpenAIProvider
from app.services.voice_v2.providers.yandex import YandexProvider

T = TypeVar("T")

_FIRST_BACKOFF_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a provider gave, and which one it was."""

    provider: ProviderType
    value: T


def enabled_providers(config: VoiceConfig, operation: Operation) -> list[ProviderType]:
    """The providers that serve an operation, in their turn; equal priorities keep ProviderType's order."""
    settings = config.stt_providers if operation is Operation.STT else config.tts_providers
    known = list(ProviderType)
    enabled = [provider for provider in known if settings[provider].enabled]
    return sorted(enabled, key=lambda provider: (settings[provider].priority, known.index(provider)))


def build_providers(config: VoiceConfig, client: httpx.AsyncClient) -> dict[ProviderType, Provider]:
    """Every provider, enabled or not, on one pool of connections."""
    return {
        ProviderType.OPENAI: OpenAIProvider(config, client),
        ProviderType.GOOGLE: GoogleProvider(config, client),
        ProviderType.YANDEX: YandexProvider(config, client),
    }


def build_client(config: VoiceConfig) -> httpx.AsyncClient:
    """The pool of connections to the providers."""
    return httpx.AsyncClient(
        timeout=config.provider_timeout_s,
        limits=httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=15),
    )


class ProviderChain:
    """The providers with what is known of each; one per process."""

    def __init__(self, config: VoiceConfig, client: httpx.AsyncClient) -> None:
        self._config = config
        self._providers = build_providers(config, client)
        pairs = [(provider, operation) for provider in ProviderType for operation in Operation]
        self.circuits = {pair: Circuit(config.breaker_failures, config.breaker_reset_s) for pair in pairs}
        self.sightings = {pair: Sightings() for pair in pairs}

    async def ask(
        self,
        operation: Operation,
        skip: frozenset[ProviderType],
        call: Callable[[Provider], Awaitable[T]],
    ) -> Answer[T]:
        """The first answer that `call` gets, trying the enabled providers in their turn.

        Raises:
            NoProviderError: nobody was left to ask.
            InputRejectedError: everyone asked refused the input.
            ProvidersFailedError: everyone asked failed; the text has a reason for each.
        """
        order = [each for each in enabled_providers(get_config(), operation) if each not in skip]
        if not order:
            raise NoProviderError(f"no provider is left to ask for {operation.value}")
        reasons: list[str] = []
        outcomes: list[Outcome] = []
        for turn, provider in enumerate(order):
            if turn:
                metrics.SWITCHES.inc()
            circuit = self.circuits[provider, operation]
            if not circuit.enter():
                reasons.append(f"{provider.value}: circuit open after repeated failures")
                continue
            ok: bool | None = None
            try:
                answer = Answer(provider, await self._with_retries(provider, operation, call))
                ok = True
            except ProviderError as error:
                ok = None if error.outcome is Outcome.REJECTED else False
                outcomes.append(error.outcome)
                reasons.append(f"{provider.value}: {error}")
            else:
                return answer
            finally:
                circuit.leave(ok=ok)
        summary = self._config.scrub("; ".join(reasons))
        if not outcomes:
            raise NoProviderError(f"no provider can be asked for {operation.value} now: {summary}")
        if all(outcome is Outcome.REJECTED for outcome in outcomes):
            raise InputRejectedError(f"no provider accepts this input: {summary}")
        raise ProvidersFailedError(f"every provider failed for {operation.value}: {summary}")

    async def _with_retries(
        self, provider: ProviderType, operation: Operation, call: Callable[[Provider], Awaitable[T]]
    ) -> T:
        attempt = 0
        while True:
            try:
                return await self._once(provider, operation, call)
            except ProviderError as error:
                if not error.retry or attempt >= self._config.provider_retries:
                    raise
            await asyncio.sleep(_FIRST_BACKOFF_S * 2**attempt * random.uniform(1, 2))  # noqa: S311  (spreads retries; no secret)
            attempt += 1

    async def _once(
        self, provider: ProviderType, operation: Operation, call: Callable[[Provider], Awaitable[T]]
    ) -> T:
        started = time.monotonic()
        try:
            value = await ask_once(self._providers[provider], call, self._config.provider_timeout_s)
        except ProviderError as error:
            self._note(provider, operation, error.outcome, time.monotonic() - started, str(error))
            raise
        self._note(provider, operation, Outcome.OK, time.monotonic() - started, None)
        return value

    def _note(
        self,
        provider: ProviderType,
        operation: Operation,
        outcome: Outcome,
        seconds: float,
        error: str | None,
    ) -> None:
        metrics.PROVIDER_REQUESTS.labels(provider.value, operation.value, outcome.value).inc()
        if outcome is not Outcome.REJECTED:
            scrubbed = None if error is None else self._config.scrub(error)
            self.sightings[provider, operation].add(seconds, scrubbed)


async def ask_once(provider: Provider, call: Callable[[Provider], Awaitable[T]], timeout_s: float) -> T:
    """One request within `timeout_s` seconds; whatever keeps it from an answer is a ProviderError."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call(provider)
    except (TimeoutError, httpx.TimeoutException):
        raise ProviderError(f"no answer within {timeout_s:g} s", Outcome.TIMEOUT, retry=True) from None
    except httpx.HTTPError as error:
        raise ProviderError(f"connection failed: {type(error).__name__}", retry=True) from error
    except AudioError as error:
        raise ProviderError(str(error), Outcome.REJECTED) from error
