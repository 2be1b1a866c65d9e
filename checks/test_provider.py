"""Every provider answers by itself, the first one is who answers, and the others stand in for it."""

import asyncio
from collections import Counter

import pytest

from checks import advice, chosen, sound
from checks.components import ill
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
    used, health, voice = await chosen.in_use(survey), await survey.health_after(), await survey.voice()
    direct = [each for each in await survey.direct() if each.name in used.names]
    first = used.names[0]
    contradictions = await chosen.contradictions(survey)
    problems = [told(each, health, voice if each.name == first else None) for each in direct if not each.ok]
    apart: dict[str, str] = {}
    if voice.serves and target.api.headers.skip_providers and len(used.names) > 1:
        fine = {each.name for each in direct if each.ok}
        apart = await aside(await survey.fallback(), fine)
    answering = [each.name for each in direct if each.ok and each.name not in apart]
    unreached = ill(health, answering, serves=voice.serves)
    apart |= {name: f"{name} answers directly, but not the service: {why}" for name, why in unreached.items()}
    decide.require(
        "all_providers_healthy",
        [*contradictions, *problems, *apart.values()],
        summary=f"{', '.join(each.name for each in direct)} asked directly",
        next=survey.host.command("restart") if contradictions else cure(target, direct, set(apart)),
        n=sum(each.asked for each in direct),
    )
    decide.note("all_providers_healthy", used.note)


@pytest.mark.decides("primary_answers")
@pytest.mark.needs("providers", "api.headers.provider")
async def test_the_first_provider_answers(survey: Survey, decide: Decide, target: Target) -> None:
    voice, used = await survey.voice(), await chosen.in_use(survey)
    first = used.names[0]
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
        next=advice.providers(target, [first]),
    )
    decide.note("primary_answers", used.note)


@pytest.mark.decides("provider_fallback_working")
@pytest.mark.needs("providers", "api.headers.skip_providers")
async def test_the_others_stand_in(
    survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest
) -> None:
    if len(target.providers) < 2:
        not_applicable(
            request.node, "the target names one provider, so that there is nothing to fall back on"
        )
    used = await chosen.in_use(survey)
    if len(used.names) < 2:
        not_applicable(
            request.node, f"{used.note}: it is the only one, so that there is nothing to fall back on"
        )
    if not (await survey.voice()).serves:
        decide.unknown("provider_fallback_working", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    first = used.names[0]
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
        next=f"see which providers are enabled; {advice.providers(target)}",
        n=len(without),
    )
    decide.note("provider_fallback_working", used.note)


async def aside(fallen: list[Fallen], names: set[str]) -> dict[str, str]:
    """A line for each of these providers that the service gets no right answer from when no other may answer."""
    found: dict[str, str] = {}
    for each in fallen:
        trouble = await wrong(each) if each.wanted in names else None
        if trouble:
            found.setdefault(each.wanted or "", trouble)
    return {
        name: f"{name} answers directly, but not through the service: {trouble}"
        for name, trouble in found.items()
    }


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


def cure(target: Target, direct: list[Direct], apart: set[str]) -> str:
    """The way past the providers that do not answer right, or back to credentials that work where none does."""
    refused = {each.name for each in direct if each.refused}
    keys = ", ".join(provider.key for provider in target.providers if provider.name in refused)
    file = target.environment.file if target.environment else "the environment"
    mend = f", or put a {keys} that works into {file} and restart" if keys else ""
    failing = [each.name for each in direct if not each.ok or each.name in apart]
    if len(failing) == len(direct):
        return f"{advice.environment(target)}{mend}"
    return f"{advice.providers(target, failing)}{mend}"
