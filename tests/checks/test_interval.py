"""Intervals of the mean and of the median, against tabled values and by coverage."""

import random

import pytest

from checks.interval import mean_interval, median_interval, quantile, student_quantile


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


@pytest.mark.parametrize(("n", "outside"), [(5, 0), (7, 0), (8, 1), (10, 1), (11, 2), (30, 10), (100, 41)])
def test_the_bounds_of_the_median_are_the_tabled_order_statistics(n, outside):
    """The largest k with P(Bin(n, 1/2) <= k) <= 5 %."""
    samples = [float(value) for value in range(n)]
    interval = median_interval(samples[::-1])
    assert (interval.low, interval.middle, interval.high) == (outside, (n - 1) / 2, n - 1 - outside)


def test_the_median_is_below_its_lower_bound_as_seldom_as_it_says():
    draw, missed, runs = random.Random(11), 0, 2000
    for _ in range(runs):
        missed += median_interval([draw.lognormvariate(0.0, 1.0) for _ in range(59)]).low > 1.0
    assert missed / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_too_few_samples_have_no_bounds_of_the_median_and_many_are_no_trouble():
    assert median_interval([0.1] * 4) is None
    assert median_interval([0.1] * 5000).low == 0.1


def test_quantile_is_a_sample_with_enough_of_them_at_or_below_it():
    samples = [float(value) for value in range(1, 101)]
    assert quantile(samples, 0.95) == 95.0
    assert quantile([3.0], 0.95) == 3.0
