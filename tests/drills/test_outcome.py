"""The verdict of a drill: each way in which it can go wrong is red, or undetermined, and never passed."""

import msgspec
import pytest

from drills.outcome import Drilled, Finding, Lost, Rto, exit_code

GOOD = Finding(True, "good")
BAD = Finding(False, "bad")
UNKNOWN = Finding(None, "could not be told")
QUICK = Rto(detect_s=10, decide_s=2, act_s=5, verify_s=12, budget_s=600)


def drilled(**other):
    facts = {
        "fault": "database-password-wrong",
        "family": "configuration",
        "stack": "processes",
        "target": "target.yaml",
        "cure": "environment",
        "level": 1,
        "started_at": "2026-11-28T05:00:00+00:00",
        "folder": "runs/drills/one",
        "steady": GOOD,
        "landed": GOOD,
        "detected": GOOD,
        "cured": GOOD,
        "traffic": GOOD,
        "lost": Lost(40),
        "rto": QUICK,
        "collateral": GOOD,
        "cleaned": GOOD,
    }
    drill = Drilled(**{**facts, **other})
    drill.judge()
    return drill


def test_all_good_is_passed():
    assert (drilled().verdict, drilled().why) == ("passed", ())


@pytest.mark.parametrize(
    ("other", "verdict", "why"),
    [
        ({"steady": BAD}, "inconclusive", "steady state: bad"),
        ({"steady": UNKNOWN}, "inconclusive", "steady state: could not be told"),
        ({"landed": BAD}, "inconclusive", "fault: bad"),
        ({"landed": None}, "inconclusive", "fault: was not come to"),
        ({"traffic": BAD}, "inconclusive", "traffic: bad"),
        ({"traffic": None}, "inconclusive", "traffic: was not come to"),
        ({"detected": BAD}, "failed", "detected: bad"),
        ({"detected": UNKNOWN}, "inconclusive", "detected: could not be told"),
        ({"cured": BAD}, "failed", "cured: bad"),
        ({"cured": UNKNOWN}, "inconclusive", "cured: could not be told"),
        ({"lost": Lost(40, rows=("r",), objects=("o", "p"))}, "failed", "RPO: 1 rows and 2 objects"),
        ({"lost": None}, "inconclusive", "RPO: was not come to"),
        ({"rto": msgspec.structs.replace(QUICK, act_s=590.0)}, "failed", "RTO: 614 s of 600 s"),
        ({"rto": None}, "inconclusive", "RTO: was not come to"),
        ({"collateral": BAD}, "failed", "collateral: bad"),
        ({"collateral": None}, "inconclusive", "collateral: was not come to"),
        ({"cleaned": BAD}, "inconclusive", "cleaned up: bad"),
        ({"trouble": "`pytest` was not done after 240 s"}, "inconclusive", "`pytest` was not done"),
    ],
)
def test_each_thing_that_is_not_good(other, verdict, why):
    drill = drilled(**other)
    assert drill.verdict == verdict
    assert any(each.startswith(why) for each in drill.why), drill.why


def test_known_bad_beats_undetermined():
    assert drilled(detected=BAD, traffic=BAD).verdict == "failed"


def test_a_fault_without_a_cure_has_neither_rpo_nor_rto():
    assert drilled(cure=None, level=None, lost=None, rto=None, collateral=None).verdict == "passed"
    assert drilled(cure=None, level=None, cured=BAD).why == ("healed: bad",)


@pytest.mark.parametrize(
    ("drills", "code"),
    [
        ([drilled()], 0),
        ([drilled(), drilled(cured=BAD), drilled(landed=BAD)], 1),
        ([drilled(), drilled(landed=BAD)], 6),
        ([], 6),
    ],
)
def test_the_exit_code_is_that_of_the_worst(drills, code):
    assert exit_code(drills) == code
