"""Healthy runs: an alarm is an alarm, what could not be told is neither, and the bound is exact."""

import pytest

from drills.matrix import quiet
from tests.drills.matrix.rows import healthy

SILENT = healthy(commit="abc", taken_at="2026-11-28T06:00:00+00:00")
LOUD = healthy("error_rate", commit="abc", taken_at="2026-11-28T06:01:00+00:00")
DIM = healthy(commit="def", taken_at="2026-11-28T06:02:00+00:00", trouble="inconclusive: error_rate")


@pytest.mark.parametrize(
    ("failures", "n", "bound"),
    [
        (0, 300, 0.009936),  # 1 - 0.05 ** (1 / 300)
        (0, 298, 0.010002),
        (0, 1, 0.95),
        (1, 10, 0.394163),  # from tables of Clopper and Pearson
        (5, 100, 0.102253),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_bound_is_the_exact_one(failures, n, bound):
    assert quiet.upper_bound(failures, n) == pytest.approx(bound, abs=2e-6)


def test_three_hundred_silent_runs_bound_the_rate_below_one_percent():
    found = quiet.of([SILENT] * 300, "processes")
    assert (found.runs, found.alarms, found.undecided, quiet.exit_code(found)) == (300, 0, 0, 0)
    assert found.bound < 0.01
    assert "SILENT · 0 false alarms in 300 healthy runs" in quiet.text(found)
    assert "fewer than 0.99% alarm" in quiet.text(found)


def test_an_alarm_is_told_with_what_it_said():
    found = quiet.of([SILENT, LOUD, DIM], "processes")
    assert (found.alarms, found.undecided, quiet.exit_code(found)) == (1, 1, 1)
    assert found.commits == ("abc", "def")
    assert [row.failed for row in found.loud] == [{"error_rate": "error_rate is bad"}, {}]
    assert "✗ error_rate: error_rate is bad" in quiet.text(found)
    assert found.bound == pytest.approx(quiet.upper_bound(1, 2))


def test_a_run_that_could_not_tell_is_no_silent_one():
    found = quiet.of([SILENT, DIM], "processes")
    assert (found.alarms, quiet.exit_code(found)) == (0, 6)
    assert found.bound == pytest.approx(0.95)


def test_it_is_read_back_as_it_was_written(tmp_path):
    import msgspec

    found = quiet.of([SILENT, LOUD], "processes")
    quiet.write(found, tmp_path / "quiet.json")
    assert msgspec.json.decode((tmp_path / "quiet.json").read_bytes(), type=quiet.Quiet) == found
