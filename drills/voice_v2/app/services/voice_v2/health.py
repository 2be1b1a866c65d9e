"""What /health says: the components by probes, the providers by what was lately seen of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypedDict

from app.services.voice_v2.core.config import ProviderType, VoiceConfig, get_config
from app.services.voice_v2.core.errors import StorageError
from app.services.voice_v2.core.schemas import Operation
from app.services.voice_v2.providers.chain import ProviderChain, enabled_providers
from app.services.voice_v2.storage import ObjectStore
from app.services.voice_v2.usage_log import UsageLog

_CACHED_S: Final = 1.0
_PROBE_S: Final = 2.0
_WORST_FIRST: Final = ("unhealthy", "degraded", "healthy")


class ProviderHealth(TypedDict):
    """One provider; times in seconds, rates in 0…1, None where nothing was seen within a minute."""

    status: str
    response_time: float | None
    success_rate: float | None
    last_error: str | None
    stt_priority: int | None
    tts_priority: int | None


class ComponentHealth(TypedDict):
    """One component; `revision` is the database's, None elsewhere; `response_time` in seconds."""

    status: str
    response_time: float
    error: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The whole answer, without what the process says of itself."""

    system_status: str
    providers: dict[str, ProviderHealth]
    components: dict[str, ComponentHealth]


class HealthMonitor:
    """Probes the components at most once a second, however many ask at once."""

    def __init__(self, config: VoiceConfig, chain: ProviderChain, store: ObjectStore, log: UsageLog) -> None:
        self._config = config
        self._chain = chain
        self._store = store
        self._log = log
        self._lock = asyncio.Lock()
        self._probed_at = float("-inf")
        self._components: dict[str, ComponentHealth] = {}

    async def report(self) -> HealthReport:
        """The state now, components not older than a second."""
        components = await self._fresh_components()
        config = get_config()
        turns = {operation: enabled_providers(config, operation) for operation in Operation}
        shown = [provider for provider in ProviderType if any(provider in turn for turn in turns.values())]
        providers = {provider.value: self._provider(provider, config) for provider in shown}
        usable = all(
            any(self._status(provider, operation) != "unhealthy" for provider in turn)
            for operation, turn in turns.items()
        )
        if not usable or any(component["status"] != "healthy" for component in components.values()):
            system = "unhealthy"
        elif any(provider["status"] != "healthy" for provider in providers.values()):
            system = "degraded"
        else:
            system = "healthy"
        return HealthReport(system, providers, components)

    def _status(self, provider: ProviderType, operation: Operation) -> str:
        if self._chain.circuits[provider, operation].is_open:
            return "unhealthy"
        return self._chain.sightings[provider, operation].status()

    def _provider(self, provider: ProviderType, config: VoiceConfig) -> ProviderHealth:
        seen = sorted(
            (each for operation in Operation for each in self._chain.sightings[provider, operation].recent()),
            key=lambda each: each.at,
        )
        errors = [each.error for each in seen if each.error is not None]
        stt, tts = config.stt_providers[provider], config.tts_providers[provider]
        served = [Operation.STT] * stt.enabled + [Operation.TTS] * tts.enabled
        return ProviderHealth(
            status=min((self._status(provider, each) for each in served), key=_WORST_FIRST.index),
            response_time=round(sum(each.seconds for each in seen) / len(seen), 4) if seen else None,
            success_rate=round(1 - len(errors) / len(seen), 4) if seen else None,
            last_error=errors[-1] if errors else None,
            stt_priority=stt.priority if stt.enabled else None,
            tts_priority=tts.priority if tts.enabled else None,
        )

    async def _fresh_components(self) -> dict[str, ComponentHealth]:
        if time.monotonic() - self._probed_at < _CACHED_S:
            return self._components
        async with self._lock:
            if time.monotonic() - self._probed_at >= _CACHED_S:
                database, storage = await asyncio.gather(
                    self._component(self._log.revision()), self._component(self._store.probe())
                )
                self._components = {"database": database, "storage": storage}
                self._probed_at = time.monotonic()
            return self._components

    async def _component(self, probe: Awaitable[str | None]) -> ComponentHealth:
        started = time.monotonic()
        revision: str | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(_PROBE_S):
                revision = await probe
        except TimeoutError:
            error = f"no answer within {_PROBE_S:g} s"
        except StorageError as failure:
            error = self._config.scrub(str(failure))
        return ComponentHealth(
            status="unhealthy" if error else "healthy",
            response_time=round(time.monotonic() - started, 4),
            error=error,
            revision=revision,
        )
