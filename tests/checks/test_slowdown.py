"""By how much a service became slower, and what is known of it when few answered."""

from math import inf
from types import SimpleNamespace

import pytest

from checks.interval import Interval
from checks.slowdown import compare
from target.record import LatencyRecord

RECORDED = LatencyRecord((1.0,) * 30, (1.0,) * 30, 8)


def voice(tts: list[float], stt: list[float]) -> SimpleNamespace:
    return SimpleNamespace(
        tts=SimpleNamespace(name="TTS", seconds=tts), stt=SimpleNamespace(name="STT", seconds=stt)
    )


@pytest.mark.parametrize(
    ("tts", "stt", "increase"),
    [
        ([1.1] * 9, [1.5] * 9, Interval(0.5, 0.5, 0.5)),
        ([1.19] * 9, [1.0] * 9, Interval(0.0, 0.0, 0.0)),
        ([0.5] * 9, [1.25, 1.0, 1.5, 1.75, 2.0], Interval(0.5, 0.0, 1.0)),
        ([2.0] * 9, [1.0] * 4, Interval(1.0, 1.0, inf)),
        ([], [1.0] * 9, Interval(0.0, 0.0, inf)),
    ],
)
def test_the_larger_increase_counts_and_is_open_where_too_few_answered(tts, stt, increase):
    found = compare(voice(tts, stt), RECORDED)
    assert (found.increase, found.n) == (increase, len(tts) + len(stt))


def test_an_operation_that_nobody_answered_is_told():
    told = compare(voice([], [1.0] * 9), RECORDED).evidence
    assert (
        told
        == "TTS median 1.00 s recorded (n 30), no answer now; STT median 1.00 s recorded (n 30), 1.00 s now (n 9)"
    )
