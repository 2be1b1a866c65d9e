"""Deciding a rate by evidence: a sequential test with an exact binomial bound (DESIGN §5).

The claim is "the share of failures is below `limit`". It is *shown* at the n-th sample with k failures once
n reaches the boundary N_k. N_0 is the smallest n with (1 - limit)^n <= 5 % (59 for 5 %, 149 for 2 %, 299 for 1 %),
so that a clean run passes with 95 % confidence; the later boundaries together may add at most 2.5 %, shared out by
halves, and each is found by the exact distribution of runs that no earlier boundary accepted.

It is *refuted* by a test that may be looked at after every sample: the likelihood ratio against a mixture of worse
rates is a martingale under `limit`, and by Ville's inequality exceeds 20 with probability 5 % at most, ever.
"""

from functools import cache
from math import comb, exp, log, log1p
from typing import Literal

import msgspec

Outcome = Literal["pass", "fail", "inconclusive"]

CLEAN_ERROR = 0.05
LATER_ERROR = 0.025
REFUTE_ERROR = 0.05
_MOST_FAILURES = 24
_TIMES_WORSE = (1.5, 2.0, 4.0, 8.0)
_SURELY_BROKEN = 0.5


class Judgement(msgspec.Struct, frozen=True):
    """`outcome` inconclusive means "go on": `more` further clean samples would decide it."""

    outcome: Outcome
    confidence: float
    more: int


class RatePlan:
    """A plan for the claim "the share of failures is below `limit`" (0..1)."""

    def __init__(self, limit: float) -> None:
        if not 0 < limit < 1:
            raise ValueError(f"a rate's limit lies between 0 and 1, not at {limit}")
        self.limit = limit

    def clean(self) -> int:
        """How many samples without any failure show the claim."""
        return _boundary(self.limit, 0)[0]

    def judge(self, failures: int, n: int) -> Judgement:
        """Judge after n samples. May be asked after every sample; the error over all looks is bounded."""
        if not 0 <= failures <= n:
            raise ValueError(f"{failures} failures among {n} samples")
        if failures and self._evidence_against(failures, n) >= log(1 / REFUTE_ERROR):
            return Judgement("fail", 1 - REFUTE_ERROR, 0)
        if failures > _MOST_FAILURES:
            return Judgement("inconclusive", 0.0, self.clean() * (failures + 1))
        needed, error = _boundary(self.limit, failures)
        if n >= needed:
            return Judgement("pass", 1 - error, 0)
        return Judgement("inconclusive", 0.0, needed - n)

    def _evidence_against(self, failures: int, n: int) -> float:
        """Log of the mixture likelihood ratio of worse rates against the limit."""
        worse = [min(self.limit * times, 0.99) for times in _TIMES_WORSE]
        worse.append(max(_SURELY_BROKEN, (1 + self.limit) / 2))
        logs = [
            failures * log(rate / self.limit) + (n - failures) * (log1p(-rate) - log1p(-self.limit))
            for rate in worse
        ]
        top = max(logs)
        return top + log(sum(exp(value - top) for value in logs) / len(logs))


@cache
def _boundary(limit: float, failures: int) -> tuple[int, float]:
    """N_k for k failures, and the exact probability that a service just at the limit was accepted by then."""
    n, error, _ = _walk(limit, failures)
    return n, error


@cache
def _walk(limit: float, failures: int) -> tuple[int, float, tuple[float, ...]]:
    """N_k, the error spent so far, and P(exactly j failures and not accepted so far) for j up to the most we follow."""
    if failures == 0:
        n = 1
        while (1 - limit) ** n > CLEAN_ERROR:
            n += 1
        alive = [comb(n, j) * limit**j * (1 - limit) ** (n - j) for j in range(_MOST_FAILURES + 2)]
        return n, alive[0], (0.0, *alive[1:])
    n, error, before = _walk(limit, failures - 1)
    spend = CLEAN_ERROR + LATER_ERROR * (1 - 0.5**failures)
    alive = list(before)
    while True:
        n += 1
        alive = [alive[j] * (1 - limit) + (alive[j - 1] * limit if j else 0.0) for j in range(len(alive))]
        if error + alive[failures] <= spend:
            break
    return n, error + alive[failures], (*([0.0] * (failures + 1)), *alive[failures + 1 :])
