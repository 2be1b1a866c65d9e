"""Sampling takes exactly what is needed, side by side within the limits, and stops when more cannot help."""

import asyncio
from collections.abc import Callable

import pytest

from checks.rates import RatePlan
from checks.series import Sample, Series, sample_all
from checks.spending import BudgetSpent, Spending
from target.api import Answer
from target.description import Budget


def sample(*, ok: bool = True, seconds: float = 0.02) -> Sample:
    status, body = (200, b"{}") if ok else (502, b'{"error": {"message": "no provider"}}')
    answer = Answer(status=status, seconds=seconds, started=0.0, body=body, headers={})
    return Sample(operation="tts", text="a", language="ru", answer=answer, seconds=seconds)


def series(
    take: Callable[[int], Sample], *, limit: float = 0.02, most: int = 500, slowest: float | None = None
):
    counter = iter(range(10_000))

    async def question() -> Sample:
        await asyncio.sleep(0)
        return take(next(counter))

    return Series("TTS", [question], RatePlan(limit), most=most, slowest_mean=slowest)


async def run(*all_of: Series, left: float = 60.0, concurrency: int = 8) -> None:
    await sample_all(all_of, concurrency, lambda: left, BudgetSpent)


async def test_a_clean_series_takes_exactly_what_shows_the_claim() -> None:
    tts, stt = series(lambda _: sample()), series(lambda _: sample(), limit=0.05)
    await run(tts, stt)
    assert (len(tts.samples), len(stt.samples)) == (149, 59)
    assert (tts.stopped, tts.failures) == ("", [])


async def test_a_failure_takes_more_samples_not_a_verdict() -> None:
    once = series(lambda number: sample(ok=number != 3))
    await run(once)
    assert len(once.failures) == 1
    assert len(once.samples) > 149
    assert RatePlan(0.02).judge(1, len(once.samples)).outcome == "pass"
    assert once.failures[0].trouble == "502 no provider"


async def test_a_broken_service_is_not_asked_hundreds_of_times() -> None:
    broken = series(lambda _: sample(ok=False))
    await run(broken)
    assert len(broken.samples) < 40


async def test_a_mean_that_is_refuted_ends_the_series() -> None:
    slow = series(lambda _: sample(seconds=6.0), slowest=2.0)
    await run(slow)
    assert 8 <= len(slow.samples) <= 16
    assert slow.stopped == "the average TTS time is already refuted"


@pytest.mark.parametrize(
    ("most", "left", "told"), [(20, 60.0, "the 20 requests"), (500, -1.0, "the time of the budget is spent")]
)
async def test_the_budget_ends_a_series(most: int, left: float, told: str) -> None:
    short = series(lambda _: sample(), most=most)
    await run(short, left=left)
    assert told in short.stopped


async def test_no_more_are_under_way_than_allowed() -> None:
    now, peak = 0, 0

    async def question() -> Sample:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        now -= 1
        return sample()

    await run(Series("x", [question], RatePlan(0.05), most=500), concurrency=3)
    assert peak == 3


async def test_spending_refuses_what_the_budget_does_not_allow_and_keeps_its_rate() -> None:
    async def nothing() -> None:
        pass

    spending = Spending(Budget(requests=3, per_second=200.0))
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(spending.ask(nothing) for _ in range(3)))
    assert loop.time() - started >= 2 / 200
    with pytest.raises(BudgetSpent, match="budget of 3 requests is spent"):
        await spending.ask(nothing)
    with pytest.raises(BudgetSpent, match="budget of 0 s is spent"):
        await Spending(Budget(seconds=0)).ask(nothing)


async def test_a_spent_budget_ends_all_series_and_says_so() -> None:
    spending = Spending(Budget(requests=10))

    async def question() -> Sample:
        async def request() -> Sample:
            return sample()

        return await spending.ask(request)

    short = Series("x", [question], RatePlan(0.02), most=500)
    await run(short)
    assert len(short.samples) == 10
    assert "budget of 10 requests is spent" in short.stopped
