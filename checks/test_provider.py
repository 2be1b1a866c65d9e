"""Every provider answers by itself, the first one is who answers, and the others stand in for it."""

import asyncio
from collections import Counter

import pytest

from checks import advice, sound
from checks.observation import Decide
from checks.plugin import not_applicable
from checks.survey import Survey, Voice
from checks.survey_provider import Direct
from checks.survey_service import Fallen
from checks.words import compare
from target.api import Health
from target.description import Target

pytestmark = [pytest.mark.post_rollback, pytest.mark.provider]

_MISHEARD = 0.5


@pytest.mark.decides("all_providers_healthy")
@pytest.mark.needs("providers", "environment")
async def test_every_provider_answers(survey: Survey, decide: Decide, target: Target) -> None:
    direct, health, voice = await survey.direct(), await survey.health_after(), await survey.voice()
    first = target.providers[0].name
    problems = [told(each, health, voice if each.name == first else None) for each in direct if not each.ok]
    if voice.serves and target.api.headers.skip_providers and len(target.providers) > 1:
        fine = {each.name for each in direct if each.ok}
        problems += await aside(await survey.fallback(), fine)
    refused = [each.name for each in direct if each.refused]
    decide.require(
        "all_providers_healthy",
        problems,
        summary=f"{', '.join(each.name for each in direct)} asked directly",
        next=cure(target, refused) if refused else advice.RUNBOOK_PROVIDERS,
        n=sum(each.asked for each in direct),
    )


@pytest.mark.decides("primary_answers")
@pytest.mark.needs("providers", "api.headers.provider")
async def test_the_first_provider_answers(survey: Survey, decide: Decide, target: Target) -> None:
    voice, first = await survey.voice(), target.providers[0].name
    who = answered(voice)
    if not who:
        decide.unknown("primary_answers", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    decide.rate(
        "primary_answers",
        failures=who.total() - who[first],
        n=who.total(),
        evidence=", ".join(f"{name} answered {count}" for name, count in who.most_common())
        + f" of {who.total()}; {first} is first",
        next=f"ask {first} directly: all_providers_healthy says how it answers; {advice.RUNBOOK_PROVIDERS}",
    )


@pytest.mark.decides("provider_fallback_working")
@pytest.mark.needs("providers", "api.headers.skip_providers")
async def test_the_others_stand_in(
    survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest
) -> None:
    if len(target.providers) < 2:
        not_applicable(
            request.node, "the target names one provider, so that there is nothing to fall back on"
        )
    if not (await survey.voice()).serves:
        decide.unknown("provider_fallback_working", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    first = target.providers[0].name
    without = [fallen for fallen in await survey.fallback() if fallen.wanted is None]
    troubles = [
        f"{fallen.sample.operation} without {first}: {trouble}"
        for fallen in without
        if (trouble := await wrong(fallen))
    ]
    instead = {fallen.sample.answer.provider or "another" for fallen in without if fallen.sample.answer}
    decide.require(
        "provider_fallback_working",
        troubles,
        summary=f"without {first}: {', '.join(sorted(instead))}",
        next=f"see which providers are enabled; {advice.RUNBOOK_PROVIDERS}",
        n=len(without),
    )


async def aside(fallen: list[Fallen], names: set[str]) -> list[str]:
    """A line for each of these providers that the service gets no right answer from when no other may answer."""
    found: dict[str, str] = {}
    for each in fallen:
        trouble = await wrong(each) if each.wanted in names else None
        if trouble:
            found.setdefault(each.wanted or "", trouble)
    return [
        f"{name} answers directly, but not through the service: {trouble}" for name, trouble in found.items()
    ]


def answered(voice: Voice) -> Counter[str]:
    """How often each provider says to have answered."""
    samples = [*voice.tts.samples, *voice.stt.samples]
    return Counter(
        sample.answer.provider or "nobody" for sample in samples if sample.answer and sample.answer.ok
    )


def told(direct: Direct, health: Health, voice: Voice | None) -> str:
    """A provider that does not answer right, what `/health` says of it, and who answered in its place.

    `voice` only for the first provider: the others are not asked while that one answers.
    """
    if direct.unusable:
        return f"{direct.name}: {direct.unusable}"
    if direct.refused:
        line = f"{direct.name} refuses its credentials, {direct.refused} of {direct.asked} asked directly"
    else:
        line = f"{direct.name} answers {len(direct.troubles)} of {direct.asked} direct questions wrong"
    claim = health.providers[direct.name].status if direct.name in health.providers else None
    who = answered(voice) if voice is not None else Counter[str]()
    others = [name for name in who if name != "nobody"] if not who[direct.name] else []
    notes = [
        f'/health says "{claim}"' if claim else "",
        f"{', '.join(others)} answered in its place" if others else "",
    ]
    return "; ".join([f"{line}: {direct.troubles[0]}", *(note for note in notes if note)])


async def wrong(fallen: Fallen) -> str | None:
    """What is wrong with an answer that had to come from another provider."""
    sample = fallen.sample
    if sample.answer is None or not sample.ok:
        return sample.trouble
    if sample.answer.provider in fallen.skipped:
        return f"{sample.answer.provider} answered although it was to be left out"
    if sample.operation == "tts":
        return await asyncio.to_thread(sound.problem, sample.body, sample.text)
    if compare(sample.text, sample.transcript).rate > _MISHEARD:
        return f"heard {sample.transcript[:60]!r} for {sample.text[:60]!r}"
    return None


def cure(target: Target, refused: list[str]) -> str:
    """The way back to credentials that work."""
    keys = ", ".join(provider.key for provider in target.providers if provider.name in refused)
    file = target.environment.file if target.environment else "the environment"
    return f"{advice.environment(target)}, or put a {keys} that works into {file} and restart"
