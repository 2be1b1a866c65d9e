"""Whether a fault counts as noticed."""

import json

import pytest

from drills import detection
from drills.detection import Cure, Judged, Triaged
from drills.faults.fault import Fault
from drills.operator import Typed

COMMAND = "python -m rollback environment --target /x/target.yaml"


def fault(**more):
    return Fault(**{"name": "f", "says": "s", "part": "p", "cure": "environment", "scenario": 3, **more})


def triage(scenario=3, command=COMMAND):
    return Triaged(scenario, Cure(1, "1 variable changed", command) if command else None, 1)


def test_scenario_and_action_are_named():
    assert detection.by_triage(fault(), triage()).holds


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (triage(scenario=1), "it is of scenario 3"),
        (triage(scenario=None), "it is of scenario 3"),
        (triage(command="python -m rollback git"), "what cures it is python -m rollback environment"),
        (triage(command="python -m rollback environments"), "what cures it"),
        (triage(command=""), "what cures it"),
    ],
)
def test_another_scenario_or_action_is_not_noticed(found, says):
    finding = detection.by_triage(fault(), found)
    assert finding.holds is False
    assert says in finding.says


def test_where_a_restart_is_enough_triage_has_to_name_it():
    restart = triage(command="supervisorctl -c 'a b.conf' restart voice-v2")
    assert detection.by_triage(fault(restart=True), restart).holds
    assert detection.restart_words(restart) == ["supervisorctl", "-c", "a b.conf", "restart", "voice-v2"]
    for other in ("python -m rollback environment", "python -m rollback restart", ""):
        finding = detection.by_triage(fault(restart=True), triage(command=other))
        assert finding.holds is False
        assert "a restart of the service is enough" in finding.says
    assert detection.by_triage(fault(), restart).holds is False


def test_a_fault_below_every_trigger_without_a_cure_is_not_told_by_triage():
    assert detection.by_triage(fault(scenario=None, cure=None), triage(None, "")).holds is False


def judged(*failed, code=1):
    return Judged(code, tuple({"name": name, "outcome": "fail"} for name in failed))


def test_then_the_checks_have_to_fail_as_the_fault_says():
    one = fault(scenario=None, must=("a", "b"), shows=("a",))
    assert detection.by_checks(one, judged("a", "b", "c"), "").holds
    assert detection.by_checks(one, judged("a"), "").holds is False
    assert detection.by_checks(one, judged("c"), "").holds is False
    assert detection.by_checks(one, judged(code=0), "").holds is False
    assert detection.by_checks(one, judged(code=6), "").holds is False
    assert detection.by_checks(one, None, "killed").holds is None


def test_what_triage_printed_is_read():
    told = {
        "scenario": 3,
        "cure": {"level": 1, "says": "x", "command": COMMAND},
        "exit_code": 1,
        "triggers": [],
    }
    assert detection.triaged(Typed("t", 1, json.dumps(told), "", 1.0)) == Triaged(3, Cure(1, "x", COMMAND), 1)
    assert detection.triaged(Typed("t", 4, "", "no target", 1.0)) is None
    assert detection.triaged(Typed("t", 1, "{", "", 1.0)) is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (COMMAND, ["environment"]),
        ("python -m rollback environment --to '/a b/.env' --target /x", ["environment", "--to", "/a b/.env"]),
        ("python -m rollback environment --to FILE, with an environment that was good", ["environment"]),
        ("python -m rollback objects; python -m rollback environment", ["environment"]),
        ("do something else", ["environment"]),
    ],
)
def test_what_is_typed_is_what_triage_says_where_it_can_be_typed(command, words):
    assert detection.rollback_words("environment", triage(command=command)) == words
