"""Faults of the providers themselves: what the stand-ins are told to do wrong."""

import httpx

from drills.faults.fault import Fault, FaultError, Place
from drills.faults.provider.asking import audio_of, hear, speak
from drills.faults.several import Together
from drills.providers.behaviour import Mode, Operation
from drills.providers.catalogue import Provider
from drills.stacks.layout import write_private
from drills.stacks.stack import Stack

_HANGS_S = 3.0


class ProviderFault(Fault, frozen=True):
    """A provider behaves as a mode of the stand-ins says; `latency_s` is how long it takes, in seconds."""

    provider: Provider
    mode: Mode
    operation: Operation | None = None
    latency_s: float | None = None

    @property
    def _asked(self) -> Operation:
        return self.operation or "tts"

    def prepare(self, at: Place) -> None:
        write_private(at.saved / ".env", at.stack.layout.environment.read_bytes())

    def inject(self, at: Place) -> None:
        at.stack.providers.set(self.provider, self.mode, self.operation, self.latency_s)

    def landed(self, at: Place) -> str:
        before = self._misbehaved(at.stack)
        # One that is flapping behaves well every other time.
        told = [self._ask(at.stack) for _ in range(2 if self.mode == "flapping" else 1)]
        if self._misbehaved(at.stack) <= before:
            raise FaultError(f"{self.name}: asked directly, {self.provider} behaved well ({told[-1]})")
        return f"asked directly, {self.provider} answers {', then '.join(told)}"

    def _misbehaved(self, stack: Stack) -> int:
        return stack.providers.state().providers[self.provider].counters[self._asked].misbehaved

    def _ask(self, stack: Stack) -> str:
        ask = hear if self._asked == "stt" else speak
        try:
            answer, seconds = ask(stack, self.provider, _HANGS_S if self.mode == "hang" else None)
        except httpx.TimeoutException:
            return f"nothing within {_HANGS_S:g} s"
        except httpx.HTTPError as error:
            raise FaultError(f"{self.name}: {type(error).__name__} when asked directly: {error}") from None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return f"429, Retry-After {answer.headers.get('retry-after')}"
        content = (
            f"{answer.json().get('text', '')!r}"
            if self._asked == "stt" and answer.is_success
            else f"{len(audio_of(self.provider, answer))} bytes of audio"
        )
        return f"{answer.status_code}, {content}, in {seconds:.1f} s"

    def heal(self, at: Place) -> None:
        at.stack.providers.heal(self.provider)
        try:
            answer, _ = speak(at.stack, self.provider, None)
        except httpx.HTTPError as error:
            raise FaultError(
                f"{self.name}: told to behave, {self.provider} does not answer: {error}"
            ) from None
        if answer.status_code != httpx.codes.OK:
            raise FaultError(f"{self.name}: told to behave, {self.provider} answers {answer.status_code}")
        # What its cure has left out is in use again; a new process has forgotten what it saw of the provider.
        write_private(at.stack.layout.environment, (at.saved / ".env").read_bytes())
        at.stack.restart_service()


class SeveralProviders(Together, frozen=True):
    """Several providers misbehave at once."""


FAULTS: tuple[Fault, ...] = (
    *(
        ProviderFault(
            name=f"{provider}-credentials-refused",
            says=f"{provider} refuses the service's credentials, which were good yesterday",
            part=provider,
            must=("all_providers_healthy", "primary_answers")
            if provider == "openai"
            else ("all_providers_healthy",),
            scenario=3,
            provider=provider,
            mode="unauthorized",
            cure="providers",
        )
        for provider in ("openai", "google", "yandex")
    ),
    ProviderFault(
        name="primary-dead-behind-fallback",
        says="openai, the first in turn, is unavailable; the next one answers in its place",
        part="openai",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        provider="openai",
        mode="unavailable",
        cure="providers",
    ),
    ProviderFault(
        name="empty-audio",
        says="openai answers 200 with no audio at all",
        part="openai",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        provider="openai",
        mode="empty_audio",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="silence",
        says="openai answers with audio of the right length in which nothing is heard",
        part="openai",
        must=("all_providers_healthy", "tts_audio_valid", "tts_word_error_rate"),
        scenario=1,
        provider="openai",
        mode="silence",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="wrong-words",
        says="openai says something else than it was asked to say",
        part="openai",
        must=("all_providers_healthy", "tts_word_error_rate"),
        scenario=1,
        provider="openai",
        mode="wrong_words",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="rate-limited",
        says="openai answers 429 with Retry-After to every request",
        part="openai",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        provider="openai",
        mode="rate_limited",
        cure="providers",
    ),
    ProviderFault(
        name="server-errors",
        says="openai answers 500 to every request",
        part="openai",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        provider="openai",
        mode="server_error",
        cure="providers",
    ),
    ProviderFault(
        name="provider-hangs",
        says="openai accepts requests and never answers",
        part="openai",
        must=("all_providers_healthy", "tts_success_rate", "stt_success_rate"),
        may=(
            *("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
            "response_time_increase",
        ),
        scenario=1,
        provider="openai",
        mode="hang",
        cure="providers",
    ),
    ProviderFault(
        name="truncated-audio",
        says="openai breaks its audio off after a third",
        part="openai",
        must=("all_providers_healthy", "tts_audio_valid", "tts_word_error_rate"),
        scenario=1,
        provider="openai",
        mode="truncated",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="wrong-language",
        says="openai speaks the other language than it was asked to",
        part="openai",
        must=("all_providers_healthy", "tts_word_error_rate"),
        scenario=1,
        provider="openai",
        mode="wrong_language",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="wrong-transcripts",
        says="openai hears other words than were said",
        part="openai",
        must=("all_providers_healthy", "stt_word_error_rate"),
        scenario=1,
        provider="openai",
        mode="wrong_words",
        cure="providers",
        operation="stt",
    ),
    ProviderFault(
        name="provider-flapping",
        says="openai fails every other request",
        part="openai",
        must=("all_providers_healthy",),
        may=("primary_answers",),
        scenario=1,
        provider="openai",
        mode="flapping",
        cure="providers",
    ),
    SeveralProviders(
        name="fallback-broken",
        says="google and yandex, which are to stand in for openai, are unavailable",
        part="google and yandex",
        must=("all_providers_healthy", "provider_fallback_working"),
        scenario=1,
        cure="providers",
        faults=tuple(
            ProviderFault(
                name=f"{provider}-unavailable",
                says=f"{provider} is unavailable",
                part=provider,
                provider=provider,
                mode="unavailable",
            )
            for provider in ("google", "yandex")
        ),
    ),
)
