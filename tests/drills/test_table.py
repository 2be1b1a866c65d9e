"""The table at the end of the drills."""

import io
import re

from checks.screen import Screen
from drills import table
from drills.outcome import Drilled, Finding, Lost, Rto

GOOD = Finding(True, "good")


def drill(**more):
    facts = {
        "fault": "database-password-wrong",
        "family": "configuration",
        "stack": "processes",
        "target": "target.yaml",
        "cure": "environment",
        "level": 1,
        "started_at": "2026-11-28T05:00:00+00:00",
        "folder": "runs/drills/one",
        "seconds": 43.0,
        "steady": GOOD,
        "landed": GOOD,
        "landing_s": 0.4,
        "scenario": 3,
        "detected": GOOD,
        "cured": GOOD,
        "traffic": GOOD,
        "lost": Lost(40),
        "rto": Rto(detect_s=10, decide_s=2, act_s=5, verify_s=12, budget_s=600),
        "collateral": GOOD,
        "cleaned": GOOD,
    }
    made = Drilled(**{**facts, **more})
    made.judge()
    return made


def shown(drills, notes=(), width=200):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    table.show(drills, notes, Screen(out, width=width), width)
    return out.buffer.getvalue().decode()


def test_a_line_a_drill_and_the_sum():
    lines = shown([drill()]).splitlines()
    assert lines[1].split("  ")[0] == "drill"
    cells = "database-password-wrong|✓ 0.4 s|✓ scenario 3|✓ L1 environment|29 s / 10 min|0|none|passed"
    assert re.split(" {2,}", lines[2]) == cells.split("|")
    assert lines[-1] == "1 drill · 1 passed · slowest 43.0 s (database-password-wrong)"


def test_what_did_not_pass_says_why_and_where():
    text = shown([drill(cured=Finding(False, "the checks failed: version_matches_record"), lost=None)])
    assert "✗ database-password-wrong" in text
    assert "cured: the checks failed: version_matches_record" in text
    assert "runs/drills/one" in text
    assert "1 failed" in text.splitlines()[-1]


def test_a_fault_without_a_cure_has_no_rto_and_is_counted_apart():
    text = shown([drill(cure=None, level=None, lost=None, rto=None, collateral=None)])
    assert "✓ healed" in text
    assert "1 has no cure, detected and healed" in text


def test_a_narrow_terminal_gets_a_block_a_drill():
    text = shown([drill()], width=40)
    assert all(len(line) <= 40 for line in text.splitlines())
    assert "database-password-wrong: passed" in text


def test_notes_are_told():
    assert "not rehearsed: containers" in shown([], ["not rehearsed: containers"])


def test_where_nothing_was_drilled_there_is_no_table():
    told = shown([], ["interrupted; not drilled: silence"])
    assert told.split("\n", 1)[0].strip() == ""
    assert "fault landed" not in told
    assert "interrupted; not drilled: silence" in told
    assert "0 drills" in told
