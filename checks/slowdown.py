"""Whether the service takes longer than its record says: medians, compared alike by the checks and by triage."""

from collections.abc import Sequence
from math import inf
from statistics import median

import msgspec

from checks.interval import Interval, median_interval
from checks.survey import Voice
from target.record import LatencyRecord

FEWEST_RECORDED = 10
# Who listens does not notice less, and on a busy machine an answer of some milliseconds can easily take as much longer.
LEAST_S = 0.2


class Slowdown(msgspec.Struct, frozen=True):
    """`increase` is the share by which a median rose, of the operation that has the larger one; `n` times tell it.

    One that rose by less than `LEAST_S` did not rise; of one with too few answers it is not known by how much.
    """

    increase: Interval
    n: int
    evidence: str


def incomparable(recorded: LatencyRecord, concurrency: int) -> str:
    """Why times taken with so many requests at once cannot be compared with the record; empty where they can."""
    if min(len(recorded.tts), len(recorded.stt)) < FEWEST_RECORDED:
        return "the record has no latency to compare with"
    if recorded.concurrency != concurrency:
        return (
            f"the latency of the record is that of {recorded.concurrency} requests at once, and {concurrency} are sent "
            "now: while all is well, record again"
        )
    return ""


def compare(voice: Voice, recorded: LatencyRecord) -> Slowdown:
    """The latency sample against a record that can be compared."""
    pairs = ((voice.tts, recorded.tts), (voice.stt, recorded.stt))
    found = [_increase(series.seconds, median(then)) for series, then in pairs]
    told = [_told(series.name, series.seconds, then) for series, then in pairs]
    return Slowdown(
        increase=Interval(
            max(each.middle for each in found),
            max(each.low for each in found),
            max(each.high for each in found),
        ),
        n=sum(len(series.seconds) for series, _ in pairs),
        evidence="; ".join(told),
    )


def _increase(now: list[float], then: float) -> Interval:
    def share(seconds: float) -> float:
        return seconds / then - 1 if seconds - then >= LEAST_S else 0.0

    interval = median_interval(now)
    if interval is None:
        return Interval(0.0, 0.0, inf)
    return Interval(share(interval.middle), share(interval.low), share(interval.high))


def _told(name: str, now: list[float], then: Sequence[float]) -> str:
    measured = f"{median(now):.2f} s now (n {len(now)})" if now else "no answer now"
    return f"{name} median {median(then):.2f} s recorded (n {len(then)}), {measured}"
