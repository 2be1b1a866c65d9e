"""What a run may still spend of its target's budget: requests, how many at once, per second, seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from target.description import Budget
from target.errors import TargetError

T = TypeVar("T")


class BudgetSpent(TargetError):
    """The budget of the target does not allow another request."""


class Spending:
    """Every request of a run passes through `ask`, which holds the limits of the budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.requests = 0
        self._slots = asyncio.Semaphore(budget.concurrency)
        self._started = time.monotonic()
        self._next_turn = self._started

    def seconds_left(self, share: float = 1.0) -> float:
        """Seconds until that share of the budget's time has gone by; negative afterwards."""
        return self._started + share * self.budget.seconds - time.monotonic()

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Wait for a free slot and for the rate, then send. Raises BudgetSpent."""
        async with self._slots:
            if self.requests >= self.budget.requests:
                raise BudgetSpent(
                    f"the budget of {self.budget.requests} requests is spent: raise budget.requests in the target file"
                )
            if self.seconds_left() <= 0:
                raise BudgetSpent(
                    f"the budget of {self.budget.seconds:g} s is spent: raise budget.seconds in the target file"
                )
            self.requests += 1
            await self._turn()
            return await request()

    async def _turn(self) -> None:
        """Wait until the rate of the budget allows one more request."""
        if self.budget.per_second is None:
            return
        now = time.monotonic()
        turn = max(now, self._next_turn)
        self._next_turn = turn + 1 / self.budget.per_second
        if turn > now:
            await asyncio.sleep(turn - now)
