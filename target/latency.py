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
_AT_ONCE = 4


async def sample(api: VoiceApi, budget: Budget) -> LatencyRecord:
    """`SAMPLES` syntheses, then as many transcriptions of the first synthesis; seconds each, in the order sent.

    Keeps the budget's concurrency and rate. Raises RecordError when a request is not answered with success, since
    such a service is not the one to be compared with; ApiError when one is not answered at all.
    """
    spoken = await _all(lambda turn: api.speak(TEXTS[turn % len(TEXTS)], "ru"), "synthesis", budget)
    clip = spoken[0].body
    heard = await _all(lambda _: api.transcribe(clip, "clip.wav", "ru"), "transcription", budget)
    return LatencyRecord(tts=tuple(_seconds(spoken)), stt=tuple(_seconds(heard)))


def _seconds(answers: list[Answer]) -> list[float]:
    return [round(answer.seconds, 6) for answer in answers]


async def _all(request: Callable[[int], Awaitable[Answer]], what: str, budget: Budget) -> list[Answer]:
    slots = asyncio.Semaphore(min(_AT_ONCE, budget.concurrency))
    started = time.monotonic()

    async def one(turn: int) -> Answer:
        async with slots:
            if budget.per_second is not None:
                await asyncio.sleep(started + turn / budget.per_second - time.monotonic())
            return await request(turn)

    tasks = [asyncio.ensure_future(one(turn)) for turn in range(SAMPLES)]
    try:
        answers = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = [answer for answer in answers if not answer.ok]
    if failed:
        raise RecordError(
            f"nothing was recorded: {len(failed)} of {SAMPLES} requests for a {what} failed, the first with status "
            f"{failed[0].status}; make the service healthy first (`pytest -m post_rollback` says what is wrong)"
        )
    return answers
