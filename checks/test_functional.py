"""Real speech both ways, Russian and English, in four codecs; and wrong input is refused."""

import asyncio

import pytest

from checks import advice, sound
from checks.observation import Decide
from checks.plugin import not_applicable
from checks.series import Sample, Series
from checks.survey import Survey
from checks.survey_service import Refusal
from checks.words import Compared, compare, normalised, together
from target.description import Target

pytestmark = [pytest.mark.post_rollback, pytest.mark.functional]

_MISHEARD = 0.5
_REFUSED = {400, 411, 413, 415, 422}
_NOT_MADE_OUT = {400, 415, 422}
_STRANGER = {401, 403}


@pytest.mark.decides("tts_success_rate", "stt_success_rate")
async def test_success_rates(survey: Survey, decide: Decide) -> None:
    voice = await survey.voice()
    for criterion, series in (("tts_success_rate", voice.tts), ("stt_success_rate", voice.stt)):
        decide.rate(
            criterion,
            failures=len(series.failures),
            n=len(series.samples),
            evidence=succeeded(series),
            next="read the log of the service; python -m checks triage says which scenario this is",
        )


@pytest.mark.decides("stt_word_error_rate")
async def test_transcripts(survey: Survey, decide: Decide) -> None:
    heard = [sample for sample in (await survey.voice()).stt.samples if sample.ok]
    if not heard:
        decide.unknown("stt_word_error_rate", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    decide.value(
        "stt_word_error_rate",
        worst_rate(heard),
        evidence=rates(heard),
        next="ask the providers directly: `pytest -m provider` says which one mishears",
        n=len(heard),
    )


@pytest.mark.decides("speech_formats_accepted")
async def test_formats(survey: Survey, decide: Decide) -> None:
    samples = (await survey.voice()).stt.samples
    if not any(sample.ok for sample in samples):
        decide.unknown("speech_formats_accepted", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    ways = sorted({(sample.codec, sample.language) for sample in samples})
    problems = []
    for codec, language in ways:
        tried = [sample for sample in samples if (sample.codec, sample.language) == (codec, language)]
        if not any(sample.ok for sample in tried):
            problems.append(f"{language} {codec}: {tried[0].trouble}")
    decide.require(
        "speech_formats_accepted",
        problems,
        summary=", ".join(sorted({codec for codec, _ in ways})),
        next="see what decodes recordings on the host (libsndfile, ffmpeg) and in which version",
        n=len(samples),
    )


@pytest.mark.decides("tts_audio_valid")
async def test_audio(survey: Survey, decide: Decide) -> None:
    spoken = [sample for sample in (await survey.voice()).tts.samples if sample.ok]
    if not spoken:
        decide.unknown("tts_audio_valid", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    bad = await asyncio.to_thread(unsound, spoken)
    decide.rate(
        "tts_audio_valid",
        failures=len(bad),
        n=len(spoken),
        evidence=f"{len(bad)} of {len(spoken)} are no speech: {bad[0]}"
        if bad
        else f"{len(spoken)} judged as sound",
        next="ask the providers directly: `pytest -m provider` says which one gives no speech",
    )


@pytest.mark.decides("tts_word_error_rate")
async def test_spoken_words(survey: Survey, decide: Decide) -> None:
    heard = [sample for sample in (await survey.voice()).stt.samples if sample.ok]
    back = [sample for sample in await survey.spoken_back() if sample.ok or not_made_out(sample)]
    if not heard or not back:
        decide.unknown("tts_word_error_rate", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    if worst_rate(heard) > _MISHEARD:
        decide.unknown(
            "tts_word_error_rate",
            evidence="what was spoken cannot be judged by ears that mishear even known recordings",
            next="mend stt_word_error_rate first",
        )
        return
    decide.value(
        "tts_word_error_rate",
        worst_rate(back),
        evidence=f"transcribed back: {rates(back)}",
        next="ask the providers directly: `pytest -m provider` says which one says something else",
        n=len(back),
    )


@pytest.mark.decides("bad_input_refused")
async def test_bad_input(
    survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest
) -> None:
    if target.api.flavour == "python":
        not_applicable(
            request.node, "the python flavour has no status that would tell a refusal from a breakdown"
        )
    refusals = await survey.refusals()
    strangers = [each for each in refusals if each.answer is not None and each.answer.status in _STRANGER]
    if len(strangers) == len(refusals):
        decide.unknown(
            "bad_input_refused",
            evidence=f"the token is refused ({strangers[0].answer.status if strangers[0].answer else ''}), so that "
            "nothing tells what becomes of bad input",
            next=advice.SUCCESS_FIRST,
        )
        return
    decide.require(
        "bad_input_refused",
        [problem for refusal in refusals if (problem := not_refused(refusal))],
        summary=f"{len(refusals)} kinds of bad input refused",
        next="see the log of the service for what it did with that input",
        n=len(refusals),
    )


def not_made_out(spoken: Sample) -> bool:
    """Whether what was spoken is refused as a recording by ears that take others: then no word of it came through."""
    return spoken.answer is not None and spoken.answer.status in _NOT_MADE_OUT


def unsound(spoken: list[Sample]) -> list[str]:
    """A line for each answer that is no speech of its text; the same answer to the same text is judged once."""
    judged = {(sample.body, sample.text) for sample in spoken}
    problems = {(body, text): sound.problem(body, text) for body, text in judged}
    return [
        f"{problem} for {sample.text[:40]!r}"
        for sample in spoken
        if (problem := problems[sample.body, sample.text])
    ]


def not_refused(refusal: Refusal) -> str | None:
    """What is wrong with the answer to wrong input: a refusal is a 4xx that speaks of the input."""
    if refusal.answer is None:
        return None if refusal.may_cut_off else f"{refusal.what}: no answer: {refusal.problem}"
    if refusal.answer.status in _REFUSED:
        return None
    return f"{refusal.what} is answered with {refusal.answer.status} instead of a 4xx"


def succeeded(series: Series) -> str:
    """How many succeeded, why the first of the others did not, and why sampling ended early."""
    taken, failures = len(series.samples), series.failures
    parts = [
        f"{taken - len(failures)} of {taken} {series.name}",
        f"for example {failures[0].trouble}" if failures else "",
        f"sampling stopped: {series.stopped}" if series.stopped else "",
    ]
    return "; ".join(part for part in parts if part)


def by_language(samples: list[Sample]) -> dict[str, Compared]:
    """All transcripts of a language as one long text."""
    found: dict[str, list[Compared]] = {}
    for sample in samples:
        found.setdefault(sample.language, []).append(compare(sample.text, sample.transcript))
    return {language: together(comparisons) for language, comparisons in found.items()}


def worst_rate(samples: list[Sample]) -> float:
    """The word error rate of the worse language."""
    return max(compared.rate for compared in by_language(samples).values())


def rates(samples: list[Sample]) -> str:
    """The word error rate of each language, and the worst transcript where there is a wrong one."""
    told = " · ".join(
        f"{language} WER {compared.rate:.2f}"
        for language, compared in sorted(by_language(samples).items(), reverse=True)
    )
    wrong = [sample for sample in samples if normalised(sample.text) != normalised(sample.transcript)]
    if not wrong:
        return told
    return f"{told}; {wrong[0].text[:50]!r} came back as {wrong[0].transcript[:50]!r}"
