"""Latency against its limits, from a sample during which nothing else is asked."""

import pytest

from checks import advice
from checks.observation import Decide
from checks.series import Series
from checks.survey import Survey

pytestmark = [pytest.mark.post_rollback, pytest.mark.performance]

_NEXT = f"see which provider is slow; {advice.RUNBOOK_PROVIDERS}"


@pytest.mark.decides("average_tts_time")
async def test_synthesis(survey: Survey, decide: Decide) -> None:
    series = (await survey.voice()).tts
    decide.mean("average_tts_time", series.seconds, evidence=told(series), next=_NEXT)


@pytest.mark.decides("average_stt_time")
async def test_transcription(survey: Survey, decide: Decide) -> None:
    series = (await survey.voice()).stt
    decide.mean("average_stt_time", series.seconds, evidence=told(series), next=_NEXT)


@pytest.mark.decides("average_response_time", "p95_response_time")
async def test_both(survey: Survey, decide: Decide) -> None:
    voice = await survey.voice()
    times = [*voice.tts.seconds, *voice.stt.seconds]
    evidence = "; ".join(part for part in (told(voice.tts), told(voice.stt)) if part)
    decide.mean("average_response_time", times, evidence=evidence, next=_NEXT)
    decide.quantile("p95_response_time", 0.95, times, evidence=evidence, next=_NEXT)


def told(series: Series) -> str:
    """Why a series ended early, and how many of its requests have no time that counts."""
    failed = len(series.samples) - len(series.seconds)
    parts = [
        f"{failed} of {len(series.samples)} {series.name} requests failed: {series.failures[0].trouble}"
        if failed
        else "",
        f"sampling stopped: {series.stopped}" if series.stopped else "",
    ]
    return "; ".join(part for part in parts if part)
