"""Asking providers directly, with the credentials of the service: what they say is transcribed, and has to be right."""

import asyncio
from collections.abc import Iterable

import msgspec

from target import sound
from target.description import Provider
from target.errors import TargetError
from target.provider import Asked, ProviderClient

# Two, since one wrong answer can be chance; the stand-ins of the drills know both.
PHRASES = (("Тест системы после отката", "ru"), ("System test after the rollback", "en"))
# A provider that takes longer is of no use behind a service that is to answer in two or three seconds.
_TIMEOUT_S = 5.0
_SHOWN = 100


class Answers(msgspec.Struct, frozen=True):
    """What a provider made of each phrase, spoken and then transcribed by it: a line for each that went wrong.

    `speaks_s` is the longest that it took to speak one, in seconds; None where it could not be asked.
    """

    name: str
    asked: int
    troubles: tuple[str, ...]
    speaks_s: float | None = None

    @property
    def failing(self) -> bool:
        """Whether nothing went right."""
        return len(self.troubles) == self.asked

    @property
    def stable(self) -> bool:
        """Whether nothing went wrong: both operations work with these credentials."""
        return not self.troubles

    @property
    def says(self) -> str:
        """`google fails 2 of 2 asked directly: tts: 401 …`."""
        return f"{self.name} fails {len(self.troubles)} of {self.asked} asked directly: {self.troubles[0][:_SHOWN]}"


async def ask_all(providers: Iterable[Provider], variables: dict[str, str]) -> list[Answers]:
    """Ask all of them at the same time."""
    return list(await asyncio.gather(*(_ask(provider, variables) for provider in providers)))


async def _ask(provider: Provider, variables: dict[str, str]) -> Answers:
    try:
        client = ProviderClient(provider, variables, timeout_s=_TIMEOUT_S)
    except TargetError as error:
        return Answers(provider.name, 1, (str(error),))
    try:
        found = await asyncio.gather(*(_round(client, text, language) for text, language in PHRASES))
    finally:
        await client.aclose()
    troubles = tuple(trouble for trouble, _ in found if trouble)
    return Answers(provider.name, len(found), troubles, max(spoken.seconds for _, spoken in found))


async def _round(client: ProviderClient, text: str, language: str) -> tuple[str, Asked]:
    """What is wrong with a phrase that it speaks and then hears, empty when it is right; and how it spoke."""
    spoken = await client.speak(text, language)
    return await _trouble(client, spoken, text, language), spoken


async def _trouble(client: ProviderClient, spoken: Asked, text: str, language: str) -> str:
    if spoken.problem:
        return f"tts: {spoken.problem}"
    try:
        audio = await asyncio.to_thread(sound.as_opus, spoken.audio)
    except sound.SoundError as error:
        return f"tts: {error}"
    heard = await client.transcribe(audio, language)
    if heard.problem:
        return f"stt: {heard.problem}"
    return "" if _alike(text, heard.text) else f"hears {heard.text[:60]!r} in what it was to say: {text!r}"


def _alike(said: str, heard: str) -> bool:
    """Whether at least half of the words were heard."""
    wanted = set(said.casefold().split())
    return len(wanted & set(heard.casefold().split())) * 2 >= len(wanted)
