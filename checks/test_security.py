"""Strangers are refused, no secret is told, debug is off."""

import pytest

from checks import advice
from checks.exposure import exposed, known_secrets
from checks.observation import Decide
from checks.survey import Survey
from target.api import Answer
from target.description import Target

pytestmark = [pytest.mark.post_rollback, pytest.mark.security]

_REFUSED = {401, 403}
_BROKEN = 500  # from here on a status says that nothing was decided, neither refused nor let in
_TRACEBACK = ("Traceback (most recent call last)", 'File "/')
_ON = {"1", "true", "yes", "on"}


@pytest.mark.decides("token_required")
@pytest.mark.needs("api.token")
async def test_strangers_are_refused(survey: Survey, decide: Decide, target: Target) -> None:
    problems, silent = [], []
    for intruder in await survey.intruders():
        if intruder.answer is None:
            silent.append(f"{intruder.what}: no answer: {intruder.problem}")
        elif intruder.answer.status >= _BROKEN:
            silent.append(f"{intruder.what} is answered with {intruder.answer.status}")
        elif intruder.answer.status not in _REFUSED:
            problems.append(f"{intruder.what} is answered with {intruder.answer.status} instead of 401")
    if silent and not problems:
        decide.unknown(
            "token_required",
            evidence="; ".join(silent),
            next="see why it does not answer, then check again: nothing says that it would refuse",
        )
        return
    decide.require(
        "token_required",
        problems,
        summary="strangers refused",
        next=f"take the service off the network until it checks its token; {advice.environment(target)}",
    )


@pytest.mark.decides("no_secret_exposed")
async def test_no_secret_is_told(survey: Survey, decide: Decide, target: Target) -> None:
    variables = await survey.host.variables() if target.environment else {}
    secrets = known_secrets(target, variables)
    places = await told(survey, target)
    decide.require(
        "no_secret_exposed",
        exposed(places, secrets),
        summary=f"{len(secrets)} secrets looked for",
        next="take the service off the network, then replace every secret that is named",
        n=len(places),
    )


@pytest.mark.decides("debug_off")
async def test_debug_is_off(survey: Survey, decide: Decide, target: Target) -> None:
    health = await survey.health_after()
    problems = ["/health says that debug is on"] if health.more.get("debug") is True else []
    problems += [
        f"{place} shows a traceback"
        for place, text in await told(survey, target)
        if any(sign in text for sign in _TRACEBACK)
    ]
    variables = await survey.host.variables() if target.environment else {}
    if variables.get("DEBUG", "").strip().lower() in _ON:
        problems.append("DEBUG is on in the environment file")
    decide.require("debug_off", problems, summary="debug off", next=advice.environment(target))


async def told(survey: Survey, target: Target) -> list[tuple[str, str]]:
    """Everything that the service tells to anyone who asks, with where it stands: headers and body."""
    ready, metrics = await survey.ready(), await survey.metrics_after()
    refusals = await survey.refusals() if target.api.flavour != "python" else []
    intruders = await survey.intruders() if target.api.token else []
    answers = [
        (target.api.paths.health, ready.answer),
        (target.api.paths.metrics, metrics.answer),
        *((f"the answer to {refusal.what}", refusal.answer) for refusal in (*refusals, *intruders)),
    ]
    return [(place, _text(answer)) for place, answer in answers if answer is not None]


def _text(answer: Answer) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{headers}\n{answer.body.decode('utf-8', 'replace')}"
