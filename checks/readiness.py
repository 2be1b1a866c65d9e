"""The gate before everything else: does the service answer, and as a voice service?"""

import asyncio
import time

import msgspec

from target.api import Answer, Health, VoiceApi, health_of
from target.errors import ApiError, WrongAddress

# Longer than `/health` may take: one that answers too slowly is to be measured, not to be called dead.
DEADLINE_S = 4.0
_INTERVAL_S = 0.1


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """How the service met the gate: `health` is None for one that does not answer, and `why` then says what was seen.

    `seconds` and `attempts` are what the gate took.
    """

    health: Health | None
    answer: Answer | None
    why: str = ""
    seconds: float
    attempts: int


async def gate(api: VoiceApi, deadline_s: float) -> Readiness:
    """Ask `/health` until it answers, at most `deadline_s` seconds.

    Raises WrongAddress for a name that does not resolve and an answer that is no voice service's (HTML, say).
    """
    started = time.monotonic()
    attempts, why = 0, ""
    while True:
        attempts += 1
        left = deadline_s - (time.monotonic() - started)
        answer, why = await _ask(api, max(left, _INTERVAL_S))
        elapsed = time.monotonic() - started
        if answer is not None:
            try:
                health = health_of(answer)
            except WrongAddress:
                raise
            except ApiError:
                why = f"answers {answer.status}: {' '.join(answer.text(120).split())}"
            else:
                return Readiness(health=health, answer=answer, seconds=elapsed, attempts=attempts)
        if elapsed >= deadline_s:
            return Readiness(health=None, answer=answer, why=why, seconds=elapsed, attempts=attempts)
        await asyncio.sleep(min(_INTERVAL_S, deadline_s - elapsed))


async def _ask(api: VoiceApi, within_s: float) -> tuple[Answer | None, str]:
    try:
        async with asyncio.timeout(within_s):
            return await api.health(), ""
    except WrongAddress:
        raise
    except ApiError as error:
        return None, str(error)
    except TimeoutError:
        return None, f"no answer within {within_s:.1f} s"
