"""The sequential test: its boundaries are the design's, and its errors are bounded over all looks."""

import random

import pytest

from checks.rates import CLEAN_ERROR, LATER_ERROR, RatePlan


@pytest.mark.parametrize(("limit", "clean"), [(0.05, 59), (0.02, 149), (0.01, 299)])
def test_a_clean_run_passes_at_the_textbook_number_and_not_one_sample_earlier(limit, clean):
    plan = RatePlan(limit)
    assert plan.clean() == clean
    before = plan.judge(0, clean - 1)
    assert (before.outcome, before.more) == ("inconclusive", 1)
    after = plan.judge(0, clean)
    assert after.outcome == "pass"
    assert after.confidence == pytest.approx(1 - (1 - limit) ** clean)


def test_a_failure_asks_for_more_samples_and_says_how_many():
    judged = RatePlan(0.02).judge(1, 149)
    assert judged.outcome == "inconclusive"
    assert RatePlan(0.02).judge(1, 149 + judged.more).outcome == "pass"
    assert RatePlan(0.02).judge(1, 148 + judged.more).outcome == "inconclusive"


def test_a_service_that_fails_always_is_refuted_within_a_few_requests():
    assert next(n for n in range(1, 20) if RatePlan(0.01).judge(n, n).outcome == "fail") <= 3


def test_five_percent_of_errors_is_refuted_against_one_percent_within_300():
    judged = [RatePlan(0.01).judge(n // 20, n).outcome for n in range(1, 301)]
    assert "fail" in judged
    assert "pass" not in judged


@pytest.mark.parametrize("limit", [0.05, 0.02])
def test_errors_over_all_looks_stay_bounded_by_simulation(limit):
    plan, draw, runs = RatePlan(limit), random.Random(20251), 300
    passed = failed = 0
    for _ in range(runs):
        failures = 0
        for n in range(1, 501):
            failures += draw.random() < limit
            outcome = plan.judge(failures, n).outcome
            if outcome != "inconclusive":
                passed += outcome == "pass"
                failed += outcome == "fail"
                break
    slack = 3 * (0.07 * 0.93 / runs) ** 0.5
    assert passed / runs <= CLEAN_ERROR + LATER_ERROR + slack
    assert failed / runs <= 0.05 + slack


@pytest.mark.parametrize(("failures", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(failures, n):
    with pytest.raises(ValueError, match="failures among"):
        RatePlan(0.01).judge(failures, n)


def test_a_limit_outside_the_open_unit_interval_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        RatePlan(1.0)
