"""A deliberate choice of providers explains what it was made of, and nothing else."""

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from checks.screen import Screen
from checks.triage import judge as judge_triggers
from checks.triage import show
from checks.triggers import Scene
from checks.verdict import Verdict
from target.choice import Choice, render
from target.description import ProviderSettings
from target.provider_order import Order
from tests.checks.deployment import hashes

CHOICE = Choice(
    since="2026-11-23T14:02:10Z",
    by="jo@desk",
    run="20261123T140210Z-providers",
    disabled=("google",),
    raised="openai",
    order=Order(("openai", "yandex"), ("openai", "yandex")),
)
SAYS = "google is disabled on purpose since 2026-11-23 14:02 by jo@desk"
EXPLAINED = {
    "environment_matches_record",
    "all_providers_healthy",
    "primary_answers",
    "provider_fallback_working",
}


def red(found: dict[str, Any]) -> set[str]:
    return {name for name, observation in found.items() if observation.outcome == "fail"}


def use(d: Any, *names: str) -> None:
    """Tell the service these, and have it use them."""
    for variables in (d.environment, d.process):
        variables |= {"STT_PROVIDERS": ",".join(names), "TTS_PROVIDERS": ",".join(names)}
    d.enabled = list(names)
    d.health["providers"] = {
        name: {"status": "healthy", "stt_priority": turn, "tts_priority": turn}
        for turn, name in enumerate(names, 1)
    }


@pytest.fixture
def chosen(deployment: Any) -> Any:
    """Google refuses, and was left out on purpose; all else is as recorded."""
    settings = ProviderSettings(stt="STT_PROVIDERS", tts="TTS_PROVIDERS")
    deployment.target = msgspec.structs.replace(deployment.target, provider_settings=settings)
    use(deployment, "openai", "google", "yandex")
    record = deployment.record
    deployment.record = msgspec.structs.replace(
        record,
        environment=msgspec.structs.replace(record.environment, values=hashes(deployment.environment)),
    )
    deployment.provider_problem["google"] = "401 UNAUTHENTICATED"
    use(deployment, "openai", "yandex")
    deployment.choice = render(CHOICE).decode()
    return deployment


async def test_what_was_chosen_passes_and_is_told(chosen: Any, judge: Any) -> None:
    found = await judge(chosen)
    assert red(found) == set()
    assert {seen.outcome for seen in found.values()} == {"pass"}
    assert {name for name, seen in found.items() if seen.note} == EXPLAINED
    assert all(SAYS in found[name].note for name in EXPLAINED)


def forgotten(d: Any) -> None:
    d.choice = ""


def another_order(d: Any) -> None:
    use(d, "yandex", "openai")


def still_uses_google(d: Any) -> None:
    d.health["providers"] = {
        name: {"status": "healthy", "stt_priority": turn, "tts_priority": turn}
        for turn, name in enumerate(("openai", "google", "yandex"), 1)
    }


def another_answers(d: Any) -> None:
    d.enabled = ["yandex", "openai"]


def another_variable(d: Any) -> None:
    d.environment["LOG_LEVEL"] = d.process["LOG_LEVEL"] = "DEBUG"


def back_as_recorded(d: Any) -> None:
    use(d, "openai", "google", "yandex")


def another_fails(d: Any) -> None:
    d.provider_problem["yandex"] = "503 UNAVAILABLE"


def of_a_file(d: Any) -> None:
    """The environment has no say in it where the providers are told in a file of their own."""
    settings = msgspec.structs.replace(d.target.provider_settings, file="/srv/voice.json")
    d.target = msgspec.structs.replace(d.target, provider_settings=settings)


ALL = {"environment_matches_record", "all_providers_healthy"}


@pytest.mark.parametrize(
    ("spoil", "expected", "told"),
    [
        (forgotten, ALL, "2 variables changed"),
        (another_order, {*ALL, "primary_answers"}, "STT_PROVIDERS"),
        (
            still_uses_google,
            {"all_providers_healthy"},
            "the process uses openai, google, yandex, and openai, yandex",
        ),
        (another_answers, {"primary_answers"}, "openai is first"),
        (another_variable, {"environment_matches_record"}, "1 variable changed: LOG_LEVEL"),
        (back_as_recorded, {"all_providers_healthy"}, "google refuses its credentials"),
        (another_fails, {"all_providers_healthy"}, "yandex answers 6 of 6 direct questions wrong"),
        (of_a_file, ALL, "google refuses its credentials"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_what_it_does_not_explain_still_fails(
    chosen: Any, judge: Any, spoil: Callable[[Any], None], expected: set[str], told: str
) -> None:
    spoil(chosen)
    found = await judge(chosen, "deployment", "provider")
    failed = red(found)
    assert expected <= failed, {name: found[name].evidence for name in failed}
    assert failed <= expected | {"provider_fallback_working"}
    assert told in "\n".join(found[name].evidence for name in expected)
    assert all(found[name].next for name in failed)


async def test_a_void_choice_is_not_told(chosen: Any, judge: Any) -> None:
    back_as_recorded(chosen)
    chosen.provider_problem.clear()
    found = await judge(chosen, "deployment", "provider")
    assert red(found) == set()
    assert {seen.note for seen in found.values()} == {""}


async def test_the_only_one_left_has_nothing_to_fall_back_on(chosen: Any, judge: Any) -> None:
    use(chosen, "openai")
    alone = Order(("openai",), ("openai",))
    chosen.choice = render(
        msgspec.structs.replace(CHOICE, disabled=("google", "yandex"), order=alone)
    ).decode()
    found = await judge(chosen, "deployment", "provider")
    assert red(found) == set()
    assert "provider_fallback_working" not in found


async def test_a_damaged_choice_decides_nothing(chosen: Any, judge: Any) -> None:
    chosen.choice = chosen.choice[:40]
    found = await judge(chosen, "deployment")
    assert found["environment_matches_record"].outcome == "inconclusive"
    assert "providers.json on local:// is damaged" in found["environment_matches_record"].evidence


async def test_triage_knows_of_it(chosen: Any, survey_for: Any) -> None:
    survey = survey_for(chosen)
    found = await judge_triggers(Scene(survey, chosen.record))
    await survey.close()
    holding = {trigger.name for trigger in found.triggers if trigger.holds}
    assert not holding & {
        "environment_conflict",
        "provider_authentication_failed",
        "provider_connectivity_lost",
    }
    assert SAYS in found.chosen
    out = io.StringIO()
    show(found, Screen(out, 100))
    assert SAYS in out.getvalue()


async def test_triage_of_another_that_fails_names_that_one(chosen: Any, survey_for: Any) -> None:
    another_fails(chosen)
    survey = survey_for(chosen)
    found = await judge_triggers(Scene(survey, chosen.record))
    await survey.close()
    assert found.cure is not None
    assert found.cure.command.startswith("python -m rollback providers --disable yandex")


async def test_the_screen_tells_it_once_with_the_criteria(chosen: Any, judge: Any, tmp_path: Any) -> None:
    found = await judge(chosen, "deployment", "provider")
    criteria = [
        {"name": name, "kind": "provider", "limit": "true", "unit": "", "check": "c", "note": seen.note}
        | {"observed": True, "n": 1, "confidence": None, "outcome": seen.outcome}
        | {"evidence": "", "summary": "", "next": ""}
        for name, seen in found.items()
    ]
    verdict = msgspec.convert(
        {
            "verdict": "pass",
            "exit_code": 0,
            "target": "t",
            "record": None,
            "started_at": "",
            "duration_s": 1.0,
        }
        | {"requests": 1, "missing": [], "criteria": criteria, "not_applicable": []},
        Verdict,
    )
    out = io.StringIO()
    Screen(out, 300).ending(verdict, tmp_path)
    lines = [line for line in out.getvalue().splitlines() if SAYS in line]
    assert len(lines) == 1
    assert all(name in lines[0] for name in EXPLAINED)
