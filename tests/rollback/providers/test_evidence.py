"""What a rollback of the providers takes for proof, where a gateway says that all is well before the service is up."""

import json
from types import SimpleNamespace

import pytest

from rollback.actions.providers import evidence as module
from rollback.actions.providers.evidence import evidence
from rollback.errors import StepFailed
from target.api import Answer
from target.choice import Choice
from target.provider_order import Order


def answer(status, provider=None):
    told = {"google": {"stt_priority": 1, "tts_priority": 1}}
    body = json.dumps({"system_status": "healthy", "providers": told}).encode()
    return Answer(status=status, seconds=0.1, started=0.0, body=body, headers={}, provider=provider)


@pytest.fixture
def asked(monkeypatch):
    """What each look is answered, the last one from then on; and how often there was one."""
    spoken, looks = [], []

    async def ask(_):
        looks.append(1)
        return answer(200), spoken.pop(0) if len(spoken) > 1 else spoken[0]

    monkeypatch.setattr(module, "_ask", ask)
    monkeypatch.setattr(module, "_REACHED_S", 0.3)
    return spoken, looks


SITE = SimpleNamespace(target=SimpleNamespace(service=SimpleNamespace(ready_s=5.0)))


def choice():
    order = Order(stt=("google",), tts=("google",))
    return Choice(
        order=order, raised="google", disabled=("openai",), since="2026-11-28T12:00:00Z", by="ops", run="r"
    )


def test_a_gateway_that_is_early_is_asked_again(asked):
    spoken, looks = asked
    spoken += [answer(502), answer(503), answer(200, "google")]
    assert "google answered a synthesis" in evidence(SITE, choice(), ".env")
    assert len(looks) == 3


def test_it_is_not_asked_for_ever(asked):
    spoken, _ = asked
    spoken.append(answer(502))
    with pytest.raises(StepFailed, match="answered with 502"):
        evidence(SITE, choice(), ".env")


def test_what_the_service_itself_refuses_is_told_at_once(asked):
    spoken, looks = asked
    spoken.append(answer(500))
    with pytest.raises(StepFailed, match="answered with 500"):
        evidence(SITE, choice(), ".env")
    assert len(looks) == 1
