"""Deciding a rate by evidence: a sequential test with an exact binomial bound (DESIGN §5)."""

import msgspec

from checks.observation import Outcome


class Judgement(msgspec.Struct, frozen=True):
    """`outcome` inconclusive means "go on": `more` further clean samples would decide it."""

    outcome: Outcome
    confidence: float
    more: int


class RatePlan:
    """A plan for the claim "the share of failures is below `limit`" (0..1), within `budget` samples."""

    def __init__(self, limit: float, budget: int) -> None:
        raise NotImplementedError

    def judge(self, failures: int, n: int) -> Judgement:
        """Judge after n samples. May be asked after every sample; the error over all looks is bounded."""
        raise NotImplementedError
