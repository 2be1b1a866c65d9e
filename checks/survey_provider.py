"""Asking each provider directly, as the service would, and judging what it says rather than that it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import msgspec

from checks import sound
from checks.clips import Clip, Phrase, clips, phrases
from checks.spending import Spending
from checks.words import compare
from target.description import Provider, Target
from target.errors import TargetError
from target.provider import Asked, ProviderClient
from target.sound import SoundError, as_opus

TIMES = 3
WORST_WORDS = 0.5
_FAILS_BY = 2
_NOT_MADE_OUT = {400, 415, 422}


class Direct(msgspec.Struct, frozen=True, kw_only=True):
    """A provider asked directly. `unusable` says why it could not even be asked with this environment.

    `troubles` has a line for each question that was not answered right; `refused` is how often it refused the
    credentials; `asked` counts the questions. One wrong answer can be chance, so that the operation is asked once more
    as often: it fails by two of one operation. `speaks_s` and `hears_s` are the median seconds of what it answered
    right; None where nothing was.
    """

    name: str
    unusable: str = ""
    asked: int = 0
    refused: int = 0
    troubles: tuple[str, ...] = ()
    ok: bool = False
    speaks_s: float | None = None
    hears_s: float | None = None


async def ask_all(target: Target, variables: dict[str, str], spending: Spending) -> list[Direct]:
    """Ask every provider of the target at the same time, with the credentials in `variables`."""
    return list(await asyncio.gather(*(_ask(provider, variables, spending) for provider in target.providers)))


async def _ask(provider: Provider, variables: dict[str, str], spending: Spending) -> Direct:
    try:
        client = ProviderClient(provider, variables)
    except TargetError as error:
        return Direct(name=provider.name, unusable=str(error))
    try:
        spoken, heard = await asyncio.gather(
            _sure(partial(_speak, client, spending)), _sure(partial(_transcribe, client, spending))
        )
    finally:
        await client.aclose()
    answers = [*spoken, *heard]
    return Direct(
        name=provider.name,
        asked=len(answers),
        refused=sum(asked.refused for asked, _ in answers),
        troubles=tuple(f"{asked.operation}: {trouble}" for asked, trouble in answers if trouble),
        ok=all(_wrong(some) < _FAILS_BY for some in (spoken, heard)),
        speaks_s=_median_s(spoken),
        hears_s=_median_s(heard),
    )


async def _sure(ask: Callable[[], Awaitable[list[tuple[Asked, str]]]]) -> list[tuple[Asked, str]]:
    """Ask, and once more where some of the answers are wrong and too few to tell."""
    first = await ask()
    return first if not 0 < _wrong(first) < _FAILS_BY else [*first, *await ask()]


def _wrong(answers: list[tuple[Asked, str]]) -> int:
    return sum(bool(trouble) for _, trouble in answers)


def _median_s(answers: list[tuple[Asked, str]]) -> float | None:
    right = [asked.seconds for asked, trouble in answers if not trouble]
    return median(right) if right else None


async def _speak(client: ProviderClient, spending: Spending) -> list[tuple[Asked, str]]:
    async def one(phrase: Phrase) -> tuple[Asked, str]:
        asked = await spending.ask(partial(client.speak, phrase.text, phrase.language))
        trouble = asked.problem or await asyncio.to_thread(sound.problem, asked.audio, phrase.text)
        return asked, trouble or await _misspoken(client, spending, phrase, asked.audio)

    return list(await asyncio.gather(*map(one, _alternating(phrases()))))


async def _transcribe(client: ProviderClient, spending: Spending) -> list[tuple[Asked, str]]:
    async def one(clip: Clip) -> tuple[Asked, str]:
        asked = await spending.ask(partial(client.transcribe, clip.audio(), clip.language))
        return asked, asked.problem or _misheard(clip, asked.text)

    opus = [clip for clip in clips() if clip.codec == "ogg"]
    return list(await asyncio.gather(*map(one, (opus * TIMES)[:TIMES])))


async def _misspoken(client: ProviderClient, spending: Spending, phrase: Phrase, audio: bytes) -> str:
    """What is wrong with the words of a synthesis, by the provider's own ears; nothing where those fail."""
    try:
        opus = await asyncio.to_thread(as_opus, audio)
    except SoundError:  # a rate that Opus has not: the words are judged through the service alone
        return ""
    back = await spending.ask(partial(client.transcribe, opus, phrase.language))
    if back.status in _NOT_MADE_OUT and not back.refused:
        return f"cannot make out itself what it says for {phrase.text[:60]!r}: {back.problem}"
    if back.problem or compare(phrase.text, back.text).rate <= WORST_WORDS:
        return ""
    return f"says {back.text[:60]!r} for {phrase.text[:60]!r}"


def _misheard(clip: Clip, text: str) -> str:
    rate = compare(clip.text, text).rate
    return f"heard {text[:60]!r} for {clip.text[:60]!r}" if rate > WORST_WORDS else ""


def _alternating(texts: tuple[Phrase, ...]) -> list[Phrase]:
    """Three short phrases, Russian, English, Russian."""
    russian = [phrase for phrase in texts if phrase.language == "ru"]
    english = [phrase for phrase in texts if phrase.language == "en"]
    return [russian[0], english[0], russian[1]]
