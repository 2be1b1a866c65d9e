"""Metrics are exposed and move with the traffic; alert rules are loaded and quiet."""

import pytest

from checks import alerts, exposition
from checks.observation import Decide
from checks.survey import Survey
from target.description import Target

pytestmark = [pytest.mark.post_rollback, pytest.mark.monitoring]

_WORDS = {"tts": ("tts", "speech", "synth", "speak"), "stt": ("stt", "transcri", "recogn")}
_NEXT = "see what /metrics exposes: the counters of this version must tell of every request"


@pytest.mark.decides("metrics_exposed", "metrics_move")
async def test_metrics(survey: Survey, decide: Decide, target: Target) -> None:
    await survey.alive()
    before, after = await survey.metrics_before(), await survey.metrics_after()
    trouble = before.trouble or after.trouble
    if trouble:
        decide.failed("metrics_exposed", False, evidence=f"{target.api.paths.metrics}: {trouble}", next=_NEXT)
        decide.unknown("metrics_move", evidence="no metrics", next="mend metrics_exposed first")
        return
    try:
        first, last = (exposition.parse(sample.body.decode("utf-8", "replace")) for sample in (before, after))
    except exposition.MetricsError as error:
        decide.failed("metrics_exposed", False, evidence=f"{target.api.paths.metrics}: {error}", next=_NEXT)
        decide.unknown("metrics_move", evidence="no metrics", next="mend metrics_exposed first")
        return
    counters = last.counters("voice")
    problems = [
        f"no counter of {operation} requests with `voice` in its name"
        for operation, words in _WORDS.items()
        if not any(word in series.lower() for series in counters for word in words)
    ]
    decide.require(
        "metrics_exposed", problems, summary=f"{len(counters)} counters", next=_NEXT, n=len(counters)
    )
    moved = moving(first.counters("voice"), counters)
    sent = {sample.operation for sample in await survey.own_writes()}
    decide.require(
        "metrics_move",
        [
            f"no counter of {operation} moved with the requests of this run"
            for operation in sorted(sent - moved)
        ],
        summary="",
        next=_NEXT,
    )


@pytest.mark.decides("alert_rules_loaded", "no_alert_firing")
@pytest.mark.needs("monitoring")
async def test_alerts(decide: Decide, target: Target) -> None:
    assert target.monitoring is not None
    rules = await alerts.rules(target.monitoring.prometheus)
    names = {rule.name for rule in rules}
    decide.require(
        "alert_rules_loaded",
        [f"{name} is not loaded" for name in alerts.WANTED if name not in names]
        + [f"{rule.name} cannot be evaluated: {rule.lastError}" for rule in rules if rule.health == "err"],
        summary=f"{len(rules)} alert rules",
        next=f"load the rules of the runbook (Monitoring & Alerts) into {target.monitoring.prometheus}",
        n=len(rules),
    )
    firing = [rule.name for rule in rules if rule.state == "firing" and alerts.watching(rule)]
    decide.require(
        "no_alert_firing",
        [f"{name} is firing" for name in firing],
        summary="none firing",
        next=f"{target.monitoring.prometheus}/alerts shows since when, and the value",
    )


def moving(before: dict[str, float], after: dict[str, float]) -> set[str]:
    """The operations (tts, stt) of which some counter has grown."""
    grown = [series.lower() for series, value in after.items() if value > before.get(series, 0.0)]
    return {
        operation
        for operation, words in _WORDS.items()
        if any(word in series for series in grown for word in words)
    }
