"""What the survey asks of the service besides the latency sample: input it must refuse, strangers, fallback."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from checks.clips import Clip, Phrase, clips, phrases
from checks.series import Sample, sampled
from checks.spending import Spending
from target.api import Answer, VoiceApi
from target.description import Target

WRONG_TOKEN = "wrong-on-purpose"  # noqa: S105  (sent to be refused)
_TOO_LARGE = 26 << 20
_GARBAGE = b"fake_audio_data"


class Refusal(msgspec.Struct, frozen=True):
    """Wrong input and what came back. `may_cut_off`: closing the connection refuses such input as well."""

    what: str
    answer: Answer | None
    problem: str
    may_cut_off: bool = False


class Fallen(msgspec.Struct, frozen=True):
    """A request that was kept away from `skipped`; `wanted` is the only provider left, None where several are."""

    skipped: tuple[str, ...]
    wanted: str | None
    sample: Sample


class Asking:
    """Requests to the service, within the budget. `written` are the speech requests that it acknowledged."""

    def __init__(self, target: Target, api: VoiceApi, spending: Spending) -> None:
        self.target = target
        self.api = api
        self.spending = spending
        self.written: list[Sample] = []

    async def health(self) -> Sample:
        """One `/health`."""
        return await self._sample("health", Phrase("", ""), self.api.health)

    async def metrics(self) -> Sample:
        """One `/metrics`."""
        return await self._sample("metrics", Phrase("", ""), self.api.metrics)

    async def speak(self, phrase: Phrase, skip: tuple[str, ...] = ()) -> Sample:
        """Have one phrase spoken."""
        return await self._sample(
            "tts", phrase, lambda: self.api.speak(phrase.text, phrase.language, skip=skip)
        )

    async def transcribe(self, clip: Clip, skip: tuple[str, ...] = ()) -> Sample:
        """Have one recording transcribed."""
        phrase = Phrase(clip.text, clip.language)
        return await self._sample(
            "stt",
            phrase,
            lambda: self.api.transcribe(clip.audio(), clip.file, clip.language, skip=skip),
            clip,
        )

    async def back(self, spoken: Sample) -> Sample:
        """Have what the service spoke transcribed by it."""
        phrase = Phrase(spoken.text, spoken.language)
        return await self._sample(
            "stt", phrase, lambda: self.api.transcribe(spoken.body, "spoken.wav", spoken.language)
        )

    async def _sample(
        self,
        operation: str,
        phrase: Phrase,
        request: Callable[[], Awaitable[Answer]],
        clip: Clip | None = None,
    ) -> Sample:
        answer, problem, seconds = await self.spending.ask(lambda: sampled(request()))
        sample = Sample(
            operation=operation,
            text=phrase.text,
            language=phrase.language,
            clip=clip.file if clip else "",
            codec=clip.codec if clip else "",
            answer=answer,
            problem=problem,
            seconds=seconds,
        )
        if sample.ok and operation in ("tts", "stt"):
            self.written.append(sample)
        return sample

    async def refusals(self) -> list[Refusal]:
        """Send what a voice service must refuse."""
        clip = clips()[0]
        audio = clip.audio()
        cases: list[tuple[str, Callable[[], Awaitable[Answer]], bool]] = [
            ("an empty recording", lambda: self.api.transcribe(b"", "empty.wav", "ru"), False),
            (
                "bytes that are no recording",
                lambda: self.api.transcribe(_GARBAGE, "garbage.wav", "ru"),
                False,
            ),
            ("half a header", lambda: self.api.transcribe(audio[:20], "half.wav", "ru"), False),
            ("an unknown language", lambda: self.api.transcribe(audio, clip.file, "xx"), False),
            (
                f"a recording of {_TOO_LARGE >> 20} MiB",
                lambda: self.api.transcribe(audio[:44] + bytes(_TOO_LARGE), "large.wav", "ru"),
                True,
            ),
            ("an empty text", lambda: self.api.speak("", "ru"), False),
            ("a text of blanks", lambda: self.api.speak("   ", "ru"), False),
            ("no text", lambda: self.api.speak("-", "ru", extra={"input": None}), False),
        ]
        return list(await asyncio.gather(*(self._refusal(*case) for case in cases)))

    async def intruders(self) -> list[Refusal]:
        """Ask for speech and for a transcript without the token, and with a wrong one."""
        phrase, clip = phrases()[0], clips()[0]

        def speak(token: str | None) -> Callable[[], Awaitable[Answer]]:
            return lambda: self.api.speak(phrase.text, phrase.language, token=token)

        def transcribe(token: str | None) -> Callable[[], Awaitable[Answer]]:
            return lambda: self.api.transcribe(clip.audio(), clip.file, clip.language, token=token)

        return list(
            await asyncio.gather(
                self._refusal("speech without a token", speak(None)),
                self._refusal("speech with a wrong token", speak(WRONG_TOKEN)),
                self._refusal("a transcript without a token", transcribe(None)),
                self._refusal("a transcript with a wrong token", transcribe(WRONG_TOKEN)),
            )
        )

    async def fallback(self, names: tuple[str, ...]) -> list[Fallen]:
        """Keep requests away from the first of these, then from all but one, each of the others in its turn."""
        ways: list[tuple[tuple[str, ...], str | None]] = [((names[0],), None)]
        if len(names) > 2:
            ways += [(tuple(other for other in names if other != name), name) for name in names[1:]]
        russian = next(phrase for phrase in phrases() if phrase.language == "ru")
        english = next(clip for clip in clips() if clip.language == "en")
        asked = [
            (skipped, wanted, request)
            for skipped, wanted in ways
            for request in (self.speak(russian, skipped), self.transcribe(english, skipped))
        ]
        samples = await asyncio.gather(*(request for _, _, request in asked))
        return [
            Fallen(skipped, wanted, sample)
            for (skipped, wanted, _), sample in zip(asked, samples, strict=True)
        ]

    async def _refusal(
        self, what: str, request: Callable[[], Awaitable[Answer]], may_cut_off: bool = False
    ) -> Refusal:
        answer, problem, _ = await self.spending.ask(lambda: sampled(request()))
        return Refusal(what, answer, problem, may_cut_off)
