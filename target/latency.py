"""The performance baseline of a record: a modest sample of the runbook's three texts, and of one clip heard again."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from target.api import Answer, VoiceApi
from target.description import Budget
from target.errors import RecordError
from target.record import LatencyRecord

TEXTS = (
    "Короткий тест",
    "Средний по длине тест для проверки производительности",
    "Длинный тест для проверки производительности системы после отката изменений в production environment",
)
SAMPLES = 30


async def sample(api: VoiceApi, budget: Budget) -> LatencyRecord:
    """`SAMPLES` syntheses, then as many transcriptions of the first synthesis; seconds each, in the order sent.

    As many at once as the checks will ask, and at the budget's rate. Raises RecordError when a request is not answered
    with success, since such a service is not the one to be compared with; ApiError when one is not answered at all.
    """

    async def speak(turn: int) -> Answer:
        return await api.speak(TEXTS[turn % len(TEXTS)], "ru")

    first = await speak(0)
    spoken = [first, *await _all(speak, first.seconds, range(1, SAMPLES), budget)]
    _require(spoken, "synthesis")
    heard = await _all(
        lambda _: api.transcribe(first.body, "clip.wav", "ru"), first.seconds, range(SAMPLES), budget
    )
    _require(heard, "transcription")
    return LatencyRecord(
        tts=tuple(_seconds(spoken)), stt=tuple(_seconds(heard)), concurrency=budget.concurrency
    )


def _seconds(answers: list[Answer]) -> list[float]:
    return [round(answer.seconds, 6) for answer in answers]


async def _all(
    request: Callable[[int], Awaitable[Answer]], usual_s: float, turns: range, budget: Budget
) -> list[Answer]:
    """Ask in turn, so evenly spaced as in the middle of a long sample: of many sent together each delays the others."""
    slots = asyncio.Semaphore(budget.concurrency)
    apart_s = max(usual_s / budget.concurrency, 1 / budget.per_second if budget.per_second else 0.0)
    started = time.monotonic()

    async def one(turn: int) -> Answer:
        async with slots:
            await asyncio.sleep(started + turn * apart_s - time.monotonic())
            return await request(turn)

    tasks = [asyncio.ensure_future(one(turn)) for turn in turns]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _require(answers: list[Answer], what: str) -> None:
    failed = [answer for answer in answers if not answer.ok]
    if failed:
        raise RecordError(
            f"nothing was recorded: {len(failed)} of {SAMPLES} requests for a {what} failed, the first with status "
            f"{failed[0].status}; make the service healthy first (`pytest -m post_rollback` says what is wrong)"
        )
