"""What a provider answers is judged by what is heard in it, not by its status."""

import io
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from rollback.actions.providers import probe
from rollback.actions.providers.probe import PHRASES, ask_all
from target.description import Provider
from target.errors import TargetError
from target.provider import Asked

PROVIDER = Provider("openai", "openai", "OPENAI_API_KEY")


def wav():
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(1600), 16000, format="WAV")
    return buffer.getvalue()


class FakeClient:
    """A provider of whom a test says what goes wrong."""

    spoken: ClassVar = {"audio": wav()}
    heard: ClassVar = {}

    def __init__(self, provider, variables, *, timeout_s):
        if provider.key not in variables:
            raise TargetError(f"provider {provider.name}: {provider.key} is not in the service's environment")
        self.said = {}

    def asked(self, operation, **told):
        return Asked(**{
            "provider": "openai", "operation": operation, "status": 200, "seconds": 0.0, "refused": False,
            "problem": None, **told,
        })  # fmt: skip

    async def speak(self, text, language):
        self.said[language] = text
        return self.asked("tts", **self.spoken)

    async def transcribe(self, audio, language):
        assert audio.startswith(b"OggS"), "all three take OGG/Opus"
        return self.asked("stt", **{"text": self.said[language].upper(), **self.heard})

    async def aclose(self):
        pass


@pytest.fixture
def client(monkeypatch):
    class Client(FakeClient):
        pass

    monkeypatch.setattr(probe, "ProviderClient", Client)
    return Client


async def asked(**variables):
    (found,) = await ask_all([PROVIDER], variables or {"OPENAI_API_KEY": "sk-x"})
    return found


async def test_right_for_both(client):
    found = await asked()
    assert (found.asked, found.stable, found.failing) == (len(PHRASES), True, False)


@pytest.mark.parametrize(
    ("spoken", "heard", "says"),
    [
        ({"problem": "401 no such key"}, {}, "openai fails 2 of 2 asked directly: tts: 401 no such key"),
        ({"audio": b"<html>"}, {}, "tts: cannot be made OGG/Opus"),
        ({}, {"problem": "no answer within 5 s"}, "stt: no answer within 5 s"),
        ({}, {"text": ""}, "hears '' in what it was to say"),
        ({}, {"text": "совсем другое"}, "hears 'совсем другое' in what it was to say"),
    ],
)
async def test_wrong_in_whatever_way(client, spoken, heard, says):
    client.spoken, client.heard = {**client.spoken, **spoken}, heard
    found = await asked()
    assert found.failing
    assert not found.stable
    assert says in found.says


async def test_once_wrong_is_neither_failing_nor_stable(client):
    client.heard = {"text": PHRASES[0][0]}
    found = await asked()
    assert (len(found.troubles), found.failing, found.stable) == (1, False, False)


async def test_without_its_key(client):
    found = await asked(OTHER="x")
    assert found.failing
    assert "OPENAI_API_KEY is not in the service's environment" in found.says
