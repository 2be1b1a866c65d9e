"""The shared sampling behind all checks: one survey of the target a run, each part started once, most side by side.

First the gate (does it answer?), then the latency sample, alone; then everything else at the same time. What a run
does not select is not asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import msgspec

from checks.clips import clips, phrases
from checks.criterion import Criterion
from checks.part import Part
from checks.rates import RatePlan
from checks.readiness import DEADLINE_S, Readiness, gate
from checks.room import written
from checks.run import DeadService
from checks.series import Sample, Series, sample_all
from checks.spending import BudgetSpent, Spending
from checks.survey_data import DataFacts
from checks.survey_host import HostFacts
from checks.survey_provider import Direct, ask_all
from checks.survey_service import Asking, Fallen, Refusal
from target.api import Health, VoiceApi, health_of
from target.description import Target
from target.errors import ApiError
from target.host import Host
from target.record import Records

T = TypeVar("T")

# Shares of the budget's requests that a series may take at most; what is left is for everything that is asked once.
_TTS_SHARE, _STT_SHARE, _PROBE_SHARE = 4 / 12, 2 / 12, 5 / 12
_SAMPLING_TIME, _PROBING_TIME = 0.6, 0.85
_SPOKEN_BACK = 12
_SPOKEN_BACK_SLOWLY = 4


class Voice(msgspec.Struct, frozen=True):
    """The latency sample. `serves` is whether at least half of the requests succeeded: the service as a whole works."""

    tts: Series
    stt: Series

    @property
    def serves(self) -> bool:
        """Where it does not, a single request that fails tells nothing of the provider that was to answer it."""
        taken = [*self.tts.samples, *self.stt.samples]
        return bool(taken) and sum(sample.ok for sample in taken) * 2 >= len(taken)


class Survey:
    """Every attribute that is a `Part` is awaited by calling it: `await survey.voice()`."""

    def __init__(
        self,
        target: Target,
        api: VoiceApi,
        hosts: list[Host],
        criteria: dict[str, Criterion],
        kinds: Iterable[str],
    ) -> None:
        self.target = target
        self.spending = Spending(target.budget)
        self.asking = Asking(target, api, self.spending)
        self._api = api
        self._criteria = criteria
        self.ready: Part[Readiness] = Part(self._gate)
        self.voice: Part[Voice] = Part(self._voice)
        self.probes: Part[Series] = Part(self._probes)
        self.spoken_back: Part[list[Sample]] = Part(self._spoken_back)
        self.own_writes: Part[list[Sample]] = Part(self._own_writes)
        self.refusals: Part[list[Refusal]] = self._after(self.quiet, self.asking.refusals)
        self.intruders: Part[list[Refusal]] = self._after(self.quiet, self.asking.intruders)
        self.fallback: Part[list[Fallen]] = self._after(self.quiet, self._fallback)
        self.metrics_before: Part[Sample] = Part(self._metrics_before)
        self.metrics_after: Part[Sample] = self._after(self.settled, self.asking.metrics)
        self.health_after: Part[Health] = Part(self._health_after)
        self.direct: Part[list[Direct]] = Part(self._direct)
        self.data = DataFacts(target, self.settled, lambda: len(self.asking.written))
        self.on_hosts = [
            HostFacts(target, host, Records(host, target.state_dir), self.quiet, self.over) for host in hosts
        ]
        self._writing = (self.spoken_back, self.fallback, self.own_writes)
        self._asking = (self.probes, self.refusals, self.intruders, self.metrics_after)
        self._first = self._plan_first(set(kinds))
        self._planned = self._plan(set(kinds))

    @property
    def host(self) -> HostFacts:
        """Facts of the first host."""
        return self.on_hosts[0]

    async def providers(self) -> tuple[str, ...]:
        """The providers that are to be in use, the first in turn first: chosen on purpose, else as the target says."""
        choice = await self.host.choice()
        return choice.order.names if choice else tuple(provider.name for provider in self.target.providers)

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self.spending.requests

    async def alive(self) -> Health:
        """What `/health` said at the gate. Raises DeadService when the service did not answer."""
        readiness = await self.ready()
        self._start(self._first)
        if readiness.health is None:
            raise DeadService(
                f"{self.target.api.url} does not answer, so nothing that asks it can be determined"
            )
        return readiness.health

    async def said(self) -> list[Health]:
        """What `/health` said at the gate, and whenever it was probed. Raises DeadService."""
        first = await self.alive()
        if self.probes not in self._planned:
            return [first]
        probes = (await self.probes()).samples
        return [first, *(health_of(each.answer) for each in probes if each.answer and not erroneous(each))]

    def begin(self) -> None:
        """Let the latency sample begin, if it is planned."""
        if self.voice in self._planned:
            self.voice.start()

    async def quiet(self) -> None:
        """Wait until the latency sample is over, then let everything else that is planned begin.

        Raises DeadService.
        """
        await self.alive()
        if self.voice in self._planned:
            await asyncio.wait([self.voice.start()])
        self._start(self._planned)

    async def settled(self) -> None:
        """Wait until nothing of this run writes to the service any more. Raises DeadService."""
        await self.quiet()
        await self._ended(self._writing)

    async def over(self) -> None:
        """Wait until nothing of this run asks the service any more, but for the last look. Raises DeadService."""
        await self.settled()
        await self._ended(self._asking)

    async def _ended(self, parts: Iterable[Part[Any]]) -> None:
        planned = [part.start() for part in parts if part in self._planned]
        if planned:
            await asyncio.wait(planned)

    async def close(self) -> None:
        """Stop everything that is still under way."""
        facts = [part for host in self.on_hosts for part in vars(host).values()]
        everything = [*vars(self).values(), *vars(self.data).values(), *facts]
        await asyncio.gather(*(part.cancel() for part in everything if isinstance(part, Part)))

    def _plan_first(self, kinds: set[str]) -> tuple[Part[Any], ...]:
        """What must be known before the first request that writes, and what a dead service cannot hide."""
        target, first = self.target, list[Part[Any]]()
        if target.service:
            first.append(self.host.status)
        if "deployment" in kinds and target.environment:
            first += [self.host.environment, self.host.environment_file]
        if "data" in kinds and target.database and target.database.mark_column:
            first.append(self.data.newest_before)
        if "monitoring" in kinds:
            first.append(self.metrics_before)
        return tuple(first)

    def _plan(self, kinds: set[str]) -> tuple[Part[Any], ...]:
        """The parts that the selected kinds of check will ask for, as far as the target offers them."""
        target, host, data = self.target, self.host, self.data
        skipping = target.api.headers.skip_providers is not None and len(target.providers) > 1
        askable = target.environment is not None and bool(target.providers)
        wanted: list[tuple[bool, str, Part[Any]]] = [
            (True, "provider functional performance", self.voice),
            (True, "health", self.probes),
            (True, "health provider security", self.health_after),
            (target.service is not None, "health", host.resident),
            (bool(written(target)), "health", host.room),
            (target.service is not None, "deployment", host.process_environment),
            (target.virtualenv is not None, "deployment", host.packages),
            (target.virtualenv is not None, "deployment", host.virtualenv),
            (target.code is not None, "deployment", host.code),
            (target.code is not None, "deployment", host.newest_code),
            (target.code is not None and target.virtualenv is not None, "deployment", host.bytecode),
            (askable, "provider", self.direct),
            (skipping, "provider", self.fallback),
            (True, "functional", self.spoken_back),
            (target.api.flavour != "python", "functional security", self.refusals),
            (True, "data monitoring", self.own_writes),
            (target.database is not None, "data", data.table),
            (target.database is not None, "data", data.writable),
            (target.database is not None, "data", data.log),
            (target.objects is not None, "data", data.bucket),
            (target.objects is not None and target.database is not None, "data", data.contents),
            (True, "health monitoring security", self.metrics_after),
            (target.api.token is not None, "security", self.intruders),
        ]
        return tuple(part for offered, of, part in wanted if offered and kinds & set(of.split()))

    def _start(self, parts: Iterable[Part[Any]]) -> None:
        for part in parts:
            part.start()

    def _after(self, moment: Callable[[], Awaitable[None]], work: Callable[[], Awaitable[T]]) -> Part[T]:
        async def wait_and_work() -> T:
            await moment()
            return await work()

        return Part(wait_and_work)

    async def _gate(self) -> Readiness:
        readiness = await gate(self._api, DEADLINE_S)
        self.spending.requests += readiness.attempts
        return readiness

    async def _voice(self) -> Voice:
        await self.alive()
        if self._first:
            await asyncio.wait([part.start() for part in self._first])
        most = self.target.budget.requests
        voice = Voice(
            Series(
                "TTS",
                [partial(self.asking.speak, phrase) for phrase in phrases()],
                RatePlan(self._criteria["tts_success_rate"].worst_share),
                most=int(most * _TTS_SHARE),
                slowest_mean=self._criteria["average_tts_time"].limit,
            ),
            Series(
                "STT",
                [partial(self.asking.transcribe, clip) for clip in clips()],
                RatePlan(self._criteria["stt_success_rate"].worst_share),
                most=int(most * _STT_SHARE),
                slowest_mean=self._criteria["average_stt_time"].limit,
            ),
        )
        await sample_all(
            [voice.tts, voice.stt],
            self.target.budget.concurrency,
            lambda: self.spending.seconds_left(_SAMPLING_TIME),
            BudgetSpent,
        )
        return voice

    async def _probes(self) -> Series:
        await self.quiet()
        probes = Series(
            "/health",
            [self.asking.health],
            RatePlan(self._criteria["error_rate"].worst_share),
            most=int(self.target.budget.requests * _PROBE_SHARE),
            slowest_mean=self._criteria["endpoint_response_time"].limit,
            fails=erroneous,
        )
        await sample_all(
            [probes],
            max(1, self.target.budget.concurrency // 2),  # the slow questions to providers go on beside it
            lambda: self.spending.seconds_left(_PROBING_TIME),
            BudgetSpent,
        )
        return probes

    async def _spoken_back(self) -> list[Sample]:
        """One recording of each text, transcribed by the service itself; fewer where it is slow anyway."""
        await self.quiet()
        voice = await self.voice()
        spoken = {sample.text: sample for sample in voice.tts.samples if sample.ok and sample.body}
        most = _SPOKEN_BACK_SLOWLY if voice.tts.stopped or voice.stt.stopped else _SPOKEN_BACK
        chosen = _of_both_languages(list(spoken.values()), most)
        return list(await asyncio.gather(*(self.asking.back(sample) for sample in chosen)))

    async def _own_writes(self) -> list[Sample]:
        """What this run had the service write, at least one of each kind."""
        await self.quiet()
        if self.voice not in self._planned:
            await asyncio.gather(self.asking.speak(phrases()[0]), self.asking.transcribe(clips()[0]))
        return list(self.asking.written)

    async def _metrics_before(self) -> Sample:
        await self.alive()
        return await self.asking.metrics()

    async def _health_after(self) -> Health:
        await self.over()
        sample = await self.asking.health()
        if sample.answer is None:
            raise ApiError(sample.problem)
        return health_of(sample.answer)

    async def _fallback(self) -> list[Fallen]:
        names = await self.providers()
        return await self.asking.fallback(names) if len(names) > 1 else []

    async def _direct(self) -> list[Direct]:
        await self.quiet()
        return await ask_all(self.target, await self.host.variables(), self.spending)


def erroneous(probe: Sample) -> bool:
    """Whether a probe of `/health` is an error: no answer, or a 5xx that is not the service's own word on its state."""
    if probe.answer is None:
        return True
    try:
        health_of(probe.answer)
    except ApiError:
        return True
    return False


def _of_both_languages(samples: list[Sample], most: int) -> list[Sample]:
    russian = [sample for sample in samples if sample.language == "ru"][: most // 2]
    others = [sample for sample in samples if sample.language != "ru"][: most - len(russian)]
    return [*russian, *others]
