"""Faults of the providers: what the stand-ins are told to do wrong."""

import base64
import time

import httpx

from drills.faults.fault import Fault, FaultError, Place
from drills.providers.behaviour import Mode, Operation
from drills.providers.catalogue import Provider
from drills.stacks.layout import LOOPBACK, write_private
from drills.stacks.stack import Stack

_TEXT = "Короткий тест"


class ProviderFault(Fault, frozen=True):
    """A provider behaves as a mode of the stand-ins says; `latency_s` is how long it takes, in seconds."""

    provider: Provider
    mode: Mode
    operation: Operation | None = None
    latency_s: float | None = None

    def prepare(self, at: Place) -> None:
        write_private(at.saved / ".env", at.stack.layout.environment.read_bytes())

    def inject(self, at: Place) -> None:
        at.stack.providers.set(self.provider, self.mode, self.operation, self.latency_s)

    def landed(self, at: Place) -> str:
        before = at.stack.providers.state().providers[self.provider].counters["tts"].misbehaved
        answer, seconds = speak(at.stack, self.provider)
        after = at.stack.providers.state().providers[self.provider].counters["tts"].misbehaved
        if after <= before:
            raise FaultError(
                f"{self.name}: asked directly, {self.provider} behaved well ({answer.status_code})"
            )
        told = (
            f"{answer.status_code}, {len(_audio(self.provider, answer))} bytes of audio, in {seconds:.1f} s"
        )
        return f"asked directly, {self.provider} answers {told}"

    def heal(self, at: Place) -> None:
        at.stack.providers.heal(self.provider)
        answer, _ = speak(at.stack, self.provider)
        if answer.status_code != httpx.codes.OK:
            raise FaultError(f"{self.name}: told to behave, {self.provider} answers {answer.status_code}")
        # What its cure has left out is in use again; a new process has forgotten what it saw of the provider.
        write_private(at.stack.layout.environment, (at.saved / ".env").read_bytes())
        at.stack.restart_service()


def speak(stack: Stack, provider: Provider) -> tuple[httpx.Response, float]:
    """Ask a stand-in for speech in its own wire format; its answer and the seconds that it took."""
    secrets = stack.secrets
    url = f"http://{LOOPBACK}:{getattr(stack.ports, provider)}"
    started = time.monotonic()
    try:
        if provider == "openai":
            answer = stack.client.post(
                f"{url}/v1/audio/speech",
                headers={"Authorization": f"Bearer {secrets.openai_api_key}"},
                json={"model": "tts-1", "voice": "alloy", "input": _TEXT, "response_format": "opus"},
            )
        elif provider == "google":
            answer = stack.client.post(
                f"{url}/v1/text:synthesize",
                headers={"X-Goog-Api-Key": secrets.google_api_key},
                json={
                    "input": {"text": _TEXT},
                    "voice": {"languageCode": "ru-RU"},
                    "audioConfig": {"audioEncoding": "OGG_OPUS"},
                },
            )
        else:
            answer = stack.client.post(
                f"{url}/speech/v1/tts:synthesize",
                headers={"Authorization": f"Api-Key {secrets.yandex_api_key}"},
                data={"text": _TEXT, "lang": "ru-RU", "folderId": secrets.yandex_folder},
            )
    except httpx.HTTPError as error:
        raise FaultError(f"{provider}: {type(error).__name__} when asked directly: {error}") from None
    return answer, time.monotonic() - started


def _audio(provider: Provider, answer: httpx.Response) -> bytes:
    if answer.status_code != httpx.codes.OK:
        return b""
    return base64.b64decode(answer.json()["audioContent"]) if provider == "google" else answer.content


FAULTS: tuple[Fault, ...] = (
    *(
        ProviderFault(
            name=f"{provider}-credentials-refused",
            says=f"{provider} refuses the service's credentials, which were good yesterday",
            part=provider,
            shows=("all_providers_healthy",),
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
        shows=("all_providers_healthy", "primary_answers"),
        provider="openai",
        mode="unavailable",
        cure="providers",
    ),
    ProviderFault(
        name="empty-audio",
        says="openai answers 200 with no audio at all",
        part="openai",
        shows=("all_providers_healthy", "tts_audio_valid", "primary_answers"),
        provider="openai",
        mode="empty_audio",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="silence",
        says="openai answers with audio of the right length in which nothing is heard",
        part="openai",
        shows=("tts_audio_valid", "all_providers_healthy"),
        provider="openai",
        mode="silence",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="wrong-words",
        says="openai says something else than it was asked to say",
        part="openai",
        shows=("tts_word_error_rate", "all_providers_healthy"),
        provider="openai",
        mode="wrong_words",
        cure="providers",
        operation="tts",
    ),
    ProviderFault(
        name="provider-slow-6s",
        says="openai takes six seconds to answer",
        part="openai",
        shows=("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
        provider="openai",
        mode="ok",
        cure="providers",
        latency_s=6.0,
    ),
)
