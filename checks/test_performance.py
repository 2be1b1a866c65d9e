"""Latency against its limits, from a sample during which nothing else is asked."""

import pytest

from checks import advice, slowdown
from checks.observation import Decide
from checks.plugin import not_applicable
from checks.series import Series
from checks.survey import Survey
from target.record import Record

pytestmark = [pytest.mark.post_rollback, pytest.mark.performance]


@pytest.mark.decides("average_tts_time")
async def test_synthesis(survey: Survey, decide: Decide) -> None:
    mean(decide, survey, "average_tts_time", (await survey.voice()).tts)


@pytest.mark.decides("average_stt_time")
async def test_transcription(survey: Survey, decide: Decide) -> None:
    mean(decide, survey, "average_stt_time", (await survey.voice()).stt)


@pytest.mark.decides("average_response_time", "p95_response_time")
async def test_both(survey: Survey, decide: Decide) -> None:
    voice = await survey.voice()
    mean(decide, survey, "average_response_time", voice.tts, voice.stt)
    if not (times := [*voice.tts.seconds, *voice.stt.seconds]):
        decide.unknown("p95_response_time", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    evidence = told(voice.tts, voice.stt)
    decide.quantile("p95_response_time", 0.95, times, evidence=evidence, next=past_the_slow(survey))


@pytest.mark.decides("response_time_increase")
async def test_against_the_record(
    survey: Survey, decide: Decide, record: Record, request: pytest.FixtureRequest
) -> None:
    if why := slowdown.incomparable(record.latency, survey.target.budget.concurrency):
        not_applicable(request.node, why)
        return
    voice = await survey.voice()
    found = slowdown.compare(voice, record.latency)
    if not found.n:
        decide.unknown("response_time_increase", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    decide.interval(
        "response_time_increase",
        found.increase,
        n=found.n,
        evidence="; ".join(filter(None, [found.evidence, told(voice.tts, voice.stt)])),
        summary="as fast as recorded",
        next=past_the_slow(survey),
    )


def mean(decide: Decide, survey: Survey, criterion: str, *series: Series) -> None:
    """Decide the mean time of all these series together."""
    times = [seconds for each in series for seconds in each.seconds]
    if not times:
        decide.unknown(criterion, evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    decide.mean(criterion, times, evidence=told(*series), next=past_the_slow(survey))


def past_the_slow(survey: Survey) -> str:
    """What to do about a provider that is slow."""
    named, out = advice.command(survey.target, "checks triage"), advice.providers(survey.target, ["NAME"])
    return f"see which provider is slow ({named}); {out}"


def told(*series: Series) -> str:
    """Why a series ended early, and how many of its requests have no time that counts."""
    return "; ".join(part for each in series for part in _told(each) if part)


def _told(series: Series) -> list[str]:
    failed = len(series.samples) - len(series.seconds)
    return [
        f"{failed} of {len(series.samples)} {series.name} requests failed: {series.failures[0].trouble}"
        if failed
        else "",
        f"sampling stopped: {series.stopped}" if series.stopped else "",
    ]
