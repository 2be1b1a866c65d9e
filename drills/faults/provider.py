"""Faults of the providers: what the stand-ins are told to do wrong."""

import base64
import re
import socket
import ssl
import time
from collections.abc import Callable

import httpx

from checks.clips import clips
from drills.faults.configuration import EnvironmentFault, value
from drills.faults.fault import Fault, FaultError, Place
from drills.faults.several import Together
from drills.network.behaviour import Behaviour as NetworkBehaviour
from drills.network.behaviour import Way
from drills.providers.behaviour import Mode, Operation
from drills.providers.catalogue import Provider
from drills.stacks.layout import LOOPBACK, write_private
from drills.stacks.stack import Stack

_TEXT = "Короткий тест"
_TWICE = "openai,openai,google"
_HANGS_S = 3.0
# RFC 6761: no name under `invalid` ever resolves.
_NOWHERE = "api.openai.invalid"


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
            else f"{len(_audio(self.provider, answer))} bytes of audio"
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


def speak(stack: Stack, provider: Provider, within_s: float | None) -> tuple[httpx.Response, float]:
    """Ask a stand-in for speech in its own wire format; its answer and the seconds that it took.

    Raises httpx.HTTPError. `within_s`: how long to wait, None for as long as a stack is usually waited for.
    """
    secrets = stack.secrets
    url = f"http://{LOOPBACK}:{getattr(stack.ports, provider)}"
    if provider == "openai":
        request = stack.client.build_request(
            "POST",
            f"{url}/v1/audio/speech",
            headers={"Authorization": f"Bearer {secrets.openai_api_key}"},
            json={"model": "tts-1", "voice": "alloy", "input": _TEXT, "response_format": "opus"},
        )
    elif provider == "google":
        request = stack.client.build_request(
            "POST",
            f"{url}/v1/text:synthesize",
            headers={"X-Goog-Api-Key": secrets.google_api_key},
            json={
                "input": {"text": _TEXT},
                "voice": {"languageCode": "ru-RU"},
                "audioConfig": {"audioEncoding": "OGG_OPUS"},
            },
        )
    else:
        request = stack.client.build_request(
            "POST",
            f"{url}/speech/v1/tts:synthesize",
            headers={"Authorization": f"Api-Key {secrets.yandex_api_key}"},
            data={"text": _TEXT, "lang": "ru-RU", "folderId": secrets.yandex_folder},
        )
    return _sent(stack, request, within_s)


def hear(stack: Stack, provider: Provider, within_s: float | None) -> tuple[httpx.Response, float]:
    """Ask openai's stand-in what is said in a recording; as `speak`. The others are not asked for that here."""
    if provider != "openai":
        raise FaultError(f"{provider} is not asked for transcripts by a fault")
    clip = clips()[0]
    request = stack.client.build_request(
        "POST",
        f"http://{LOOPBACK}:{stack.ports.openai}/v1/audio/transcriptions",
        headers={"Authorization": f"Bearer {stack.secrets.openai_api_key}"},
        data={"model": "whisper-1", "language": clip.language},
        files={"file": (clip.file, clip.audio())},
    )
    return _sent(stack, request, within_s)


def _sent(stack: Stack, request: httpx.Request, within_s: float | None) -> tuple[httpx.Response, float]:
    if within_s is not None:
        request.extensions["timeout"] = httpx.Timeout(within_s).as_dict()
    started = time.monotonic()
    answer = stack.client.send(request)
    return answer, time.monotonic() - started


def _audio(provider: Provider, answer: httpx.Response) -> bytes:
    if answer.status_code != httpx.codes.OK:
        return b""
    return base64.b64decode(answer.json()["audioContent"]) if provider == "google" else answer.content


class UnresolvedAddress(EnvironmentFault, frozen=True):
    """The name that `.env` gives for a provider does not resolve."""

    def landed(self, at: Place) -> str:
        told = super().landed(at)
        try:
            socket.getaddrinfo(_NOWHERE, 80)
        except socket.gaierror as error:
            return f"{told}; {_NOWHERE}: {error.strerror}"
        raise FaultError(f"{self.name}: {_NOWHERE} resolves here")


class ExpiredCertificate(EnvironmentFault, frozen=True, kw_only=True):
    """What answers for a provider speaks TLS, with a certificate that has expired."""

    provider: Provider

    def inject(self, at: Place) -> None:
        at.stack.network.become(NetworkBehaviour({self.provider: Way(expired=True)}))
        super().inject(at)

    def landed(self, at: Place) -> str:
        told = super().landed(at)
        address = (LOOPBACK, getattr(at.stack.ports, f"way_{self.provider}"))
        try:
            # Even to one who trusts whoever issued it.
            trusting = ssl.create_default_context(
                cadata=ssl.get_server_certificate(address, timeout=_HANGS_S)
            )
            with socket.create_connection(address, _HANGS_S) as plain:
                trusting.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError as error:
            return f"{told}; its certificate: {error.verify_message}"
        except OSError as error:
            raise FaultError(f"{self.name}: no TLS there: {error}") from None
        raise FaultError(f"{self.name}: the certificate is good")

    def heal(self, at: Place) -> None:
        at.stack.network.become(NetworkBehaviour())
        super().heal(at)


class ProviderOrder(EnvironmentFault, frozen=True):
    """The order of providers in `.env` is none."""


class SeveralProviders(Together, frozen=True):
    """Several providers misbehave at once."""


def _address(name: str, pattern: str, new: str) -> Callable[[bytes], bytes]:
    """An edit of part of an address, wherever it leads."""

    def edit(content: bytes) -> bytes:
        found = re.search(rf"^{name}=(.+)$".encode(), content, re.MULTILINE)
        if found is None:
            raise FaultError(f".env does not have {name}")
        return value(name, re.sub(pattern, new, found[1].decode(), count=1))(content)

    return edit


def _both(first: Callable[[bytes], bytes], second: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: second(first(content))


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
        name="provider-slow-6s",
        says="openai takes six seconds to answer",
        part="openai",
        must=("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
        scenario=2,
        provider="openai",
        mode="ok",
        cure="providers",
        latency_s=6.0,
    ),
    ProviderFault(
        name="provider-slow-4-fold",
        says="openai takes 2.4 s to answer, four times what such a provider usually takes (0.6 s)",
        part="openai",
        must=("average_tts_time",),
        scenario=2,
        provider="openai",
        mode="ok",
        cure="providers",
        latency_s=2.4,
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
        may=("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
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
    UnresolvedAddress(
        name="provider-name-unresolved",
        says="the address of openai in .env has a name that does not resolve",
        part="environment",
        must=("environment_matches_record", "all_providers_healthy", "primary_answers"),
        scenario=3,
        cure="environment",
        edit=_address("OPENAI_BASE_URL", r"://[^:/]+", f"://{_NOWHERE}"),
    ),
    ExpiredCertificate(
        name="provider-certificate-expired",
        says="the address of openai in .env leads to a TLS certificate that has expired",
        part="environment",
        must=("environment_matches_record", "all_providers_healthy", "primary_answers"),
        scenario=3,
        cure="environment",
        edit=_address("OPENAI_BASE_URL", "^http:", "https:"),
        provider="openai",
    ),
    ProviderOrder(
        name="provider-priorities-equal",
        says="openai stands twice in the order of providers in .env, and the service does not start",
        part="environment",
        must=("service_ready", "environment_matches_record"),
        scenario=3,
        cure="environment",
        edit=_both(value("STT_PROVIDERS", _TWICE), value("TTS_PROVIDERS", _TWICE)),
        then="down",
    ),
    ProviderOrder(
        name="providers-all-disabled",
        says="no provider is enabled in .env, and the service does not start",
        part="environment",
        must=("service_ready", "environment_matches_record"),
        scenario=3,
        cure="environment",
        edit=_both(value("STT_PROVIDERS", "none"), value("TTS_PROVIDERS", "none")),
        then="down",
    ),
)
