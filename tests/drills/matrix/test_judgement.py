"""What a row means: each way in which it can be wrong is a hole, and nothing else is."""

import msgspec
import pytest

from drills.matrix.judgement import (
    exit_code,
    named_wrong,
    of_criteria,
    of_row,
)
from tests.drills.matrix.rows import ALL, APART, healthy, row

MUST = {"must": ("error_rate", "metrics_move"), "may": ("p95_response_time",), "first": ("error_rate",)}
GOOD = row("broken", "error_rate", "p95_response_time", "metrics_move", **MUST)


def test_a_row_as_it_has_to_be_has_no_hole():
    assert GOOD.caught_by == ("error_rate", "metrics_move")
    assert (GOOD.silent, GOOD.alarms, named_wrong(GOOD)) == ((), (), None)
    assert of_row(GOOD) == []


@pytest.mark.parametrize(
    ("seen", "kind", "told"),
    [
        (row("broken", **MUST), "not caught", "has to turn error_rate, metrics_move red; nothing failed"),
        (row("broken", "p95_response_time", **MUST), "not caught", "p95_response_time failed"),
        (row("broken", "error_rate"), "not caught", "says of no criterion that it must; error_rate failed"),
        (row("broken", "error_rate", **MUST), "false silence", "metrics_move is pass"),
        (
            row("broken", "error_rate", inconclusive=("metrics_move",), **MUST),
            "false silence",
            "metrics_move is inconclusive (metrics_move is not known)",
        ),
        (
            row("broken", "error_rate", not_applicable=("metrics_move",), passed=(), **MUST),
            "false silence",
            "metrics_move is not applicable",
        ),
        (row("broken", "error_rate", passed=(), **MUST), "false silence", "metrics_move is not told"),
        (
            row("broken", "error_rate", "metrics_move", "debug_off", after="before", **MUST),
            "false alarm",
            "debug_off: debug_off is bad (before it: before)",
        ),
        (
            row("broken", "metrics_move", "error_rate", **MUST),
            "named wrong",
            "the verdict begins with metrics_move, not error_rate",
        ),
        (healthy("debug_off"), "false alarm", "debug_off: debug_off is bad"),
    ],
)
def test_what_is_wrong_with_a_row_is_a_hole(seen, kind, told):
    (hole,) = [hole for hole in of_row(seen) if hole.kind == kind]
    assert hole.of == seen.fault
    assert told in hole.what


def test_what_a_row_means_follows_what_was_seen_and_what_its_fault_says():
    seen = row("broken", "error_rate", "debug_off", caught_by=("x",), **MUST)
    assert (seen.caught_by, seen.silent, seen.alarms) == (("error_rate",), ("metrics_move",), ("debug_off",))
    told = msgspec.structs.replace(seen, must=("debug_off",), may=())
    assert (told.caught_by, told.silent, told.alarms) == (("debug_off",), (), ("error_rate",))


def test_a_service_that_does_not_answer_is_caught_by_that_and_owes_nothing_that_asks_it():
    slow = {"must": ("tts_success_rate",), "may": ("service_ready",), "first": ("service_ready",)}
    dead = row("broken", "service_ready", inconclusive=("tts_success_rate",), **slow)
    assert (dead.caught_by, dead.silent, of_row(dead)) == (("service_ready",), (), [])
    passed = row("broken", "service_ready", **slow)
    assert (passed.caught_by, passed.silent) == (("service_ready",), ("tts_success_rate",))
    alarm = row("broken", "service_ready", inconclusive=("tts_success_rate",), must=("tts_success_rate",))
    assert (alarm.caught_by, alarm.silent, alarm.alarms) == ((), ("tts_success_rate",), ("service_ready",))


def test_a_false_alarm_is_told_beside_a_false_silence():
    kinds = [hole.kind for hole in of_row(row("broken", "error_rate", "debug_off", **MUST))]
    assert kinds == ["false silence", "false alarm"]


def test_a_healthy_row_that_is_silent_has_no_hole():
    assert of_row(healthy()) == []


def test_an_inconclusive_row_shows_no_hole_and_no_red_criterion():
    troubled = msgspec.structs.replace(GOOD, trouble="the stack was lost")
    assert of_row(troubled) == []
    assert of_row(row("broken", trouble="not injected", **MUST)) == []
    never = {hole.of for hole in of_criteria([troubled], ALL, dict.fromkeys(APART))}
    assert {"error_rate", "metrics_move"} <= never


def test_a_criterion_that_no_fault_turns_red_is_a_hole():
    never = {hole.of for hole in of_criteria([GOOD], ALL, dict.fromkeys(APART)) if hole.kind == "never red"}
    assert never == set(ALL) - set(APART) - {"error_rate", "metrics_move", "p95_response_time"}


def test_a_false_alarm_does_not_show_that_a_criterion_can_be_red():
    wrong = row("broken", "error_rate", "debug_off", **MUST)
    assert "debug_off" in {hole.of for hole in of_criteria([wrong], ALL, dict.fromkeys(APART))}


@pytest.mark.parametrize("outcome", [{"passed": ("hosts_agree",)}, {"failed": {"hosts_agree": "differ"}}])
def test_a_criterion_said_to_be_elsewhere_must_not_be_decided_here(outcome):
    decided = msgspec.structs.replace(GOOD, **outcome)
    (hole,) = of_criteria([decided], ["hosts_agree"], {"hosts_agree": None})
    assert (hole.kind, hole.of) == ("not elsewhere", "hosts_agree")


def test_a_criterion_said_to_be_elsewhere_must_be_one():
    (hole,) = of_criteria([GOOD], ["error_rate"], {"image_gone": None})
    assert (hole.kind, hole.of) == ("not elsewhere", "image_gone")


@pytest.mark.parametrize(
    ("rows", "wanted", "code"),
    [
        ([GOOD, healthy()], ["broken"], 0),
        ([GOOD], ["broken", "another"], 6),
        ([msgspec.structs.replace(GOOD, trouble="lost")], ["broken"], 6),
        ([GOOD, healthy(trouble="no verdict")], ["broken"], 6),
        ([row("broken", **MUST), msgspec.structs.replace(GOOD, fault="b", trouble="lost")], ["broken"], 1),
    ],
)
def test_the_exit_code(rows, wanted, code):
    holes = [hole for each in rows for hole in of_row(each)]
    assert exit_code(holes, rows, wanted=wanted) == code
