import asyncio

import pytest

from checks.part import Part


async def test_work_runs_once_however_many_ask() -> None:
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return runs

    part = Part(work)
    assert await asyncio.gather(part(), part(), part()) == [1, 1, 1]
    assert part.done


async def test_everyone_gets_the_same_error() -> None:
    async def work() -> int:
        raise ValueError("broken")

    part = Part(work)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await part()


async def test_a_caller_that_gives_up_leaves_the_work_to_the_others() -> None:
    go = asyncio.Event()

    async def work() -> str:
        await go.wait()
        return "done"

    part = Part(work)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(part(), 0.01)
    go.set()
    assert await part() == "done"


async def test_cancelling_stops_the_work_and_is_harmless_before_and_after() -> None:
    part = Part(asyncio.Event().wait)
    await part.cancel()
    task = part.start()
    await part.cancel()
    assert task.cancelled()
    await part.cancel()
