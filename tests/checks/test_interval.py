"""Intervals of the mean, against tabled values and by coverage."""

import random

import pytest

from checks.interval import mean_interval, quantile, student_quantile


@pytest.mark.parametrize(("df", "tabled"), [(4, 2.1318), (9, 1.8331), (29, 1.6991), (100, 1.6602)])
def test_student_quantile_is_the_tabled_one(df, tabled):
    assert student_quantile(0.95, df) == pytest.approx(tabled, rel=0.003)


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    draw, covered, runs = random.Random(7), 0, 1500
    for _ in range(runs):
        interval = mean_interval([draw.gauss(0.5, 0.1) for _ in range(12)])
        assert interval is not None
        covered += interval.high >= 0.5
    assert covered / runs == pytest.approx(0.95, abs=0.02)


def test_too_few_samples_give_no_interval():
    assert mean_interval([0.1] * 4) is None


def test_quantile_is_a_sample_with_enough_of_them_at_or_below_it():
    samples = [float(value) for value in range(1, 101)]
    assert quantile(samples, 0.95) == 95.0
    assert quantile([3.0], 0.95) == 3.0
