"""Asking the stand-ins of providers directly, each in its own wire format."""

import base64
import time

import httpx

from checks.clips import clips
from drills.faults.fault import FaultError
from drills.providers.catalogue import Provider
from drills.stacks.layout import LOOPBACK
from drills.stacks.stack import Stack

_TEXT = "Короткий тест"


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


def audio_of(provider: Provider, answer: httpx.Response) -> bytes:
    """The audio of an answer; none where it is no success."""
    if answer.status_code != httpx.codes.OK:
        return b""
    return base64.b64decode(answer.json()["audioContent"]) if provider == "google" else answer.content
