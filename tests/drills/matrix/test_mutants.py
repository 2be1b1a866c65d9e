"""A broken check is noticed by the matrix, one that is not is a hole, and the plugin breaks what it says it breaks."""

import subprocess
import sys

import msgspec
import pytest

import checks.plugin
from checks.criterion import criteria
from checks.interval import Interval
from checks.observation import Decide
from drills.matrix import mutant, mutants
from drills.matrix.mutants import Mutant, plan, told
from drills.matrix.stage import checks_of
from tests.drills.matrix.rows import ALL, APART, row

LIMITS = criteria({}, where="test")


def kills(fault, *criteria_, seconds=8.0, **more):
    return row(fault, *criteria_, must=criteria_, verdict_s=seconds, **more)


def test_few_and_quick_faults_serve_all_criteria():
    rows = [
        kills("slow", "error_rate", "debug_off", seconds=60.0),
        kills("quick", "error_rate", seconds=5.0),
        kills("both", "error_rate", "debug_off", "metrics_move", seconds=8.0),
        kills("lost", "token_required", trouble="lost"),
        row("alarm", "bucket_exists", must=("error_rate",)),
    ]
    assert plan(rows, ALL) == {"both": ("error_rate", "debug_off", "metrics_move")}
    assert plan(rows[:2], ["error_rate"]) == {"quick": ("error_rate",)}


def test_only_the_checks_that_decide_them_are_run():
    assert checks_of(["no_duplicate_rows", "bucket_exists"]) == (
        "checks/test_data.py::test_bucket",
        "checks/test_data.py::test_table_is_sound",
    )


ONE = Mutant(criterion="error_rate", kind="passes", fault="broken", whole="fail")


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (row("broken"), "pass"),
        (row("broken", inconclusive=("error_rate",)), "inconclusive"),
        (row("broken", "endpoint_response_time", passed=()), "not told"),
    ],
)
def test_a_broken_check_that_does_not_fail_is_noticed(seen, outcome):
    found = told(ONE, seen)
    assert (found.outcome, found.trouble) == (outcome, "")
    assert found.noticed.startswith("not caught")


def test_a_mutant_that_changes_nothing_is_not_noticed_and_a_hole():
    found = told(ONE, row("broken", "error_rate", "endpoint_response_time"))
    assert (found.outcome, found.noticed) == ("fail", "")
    assert mutants.holes([found], ["error_rate"], {}) == [
        "error_rate: passes: not noticed with broken (it says fail)",
        f"error_rate: compares-nothing: not tried; with a fault that turns it red: {mutants.TRY}",
    ]


def test_a_criterion_that_was_not_tried_is_a_hole_unless_it_is_elsewhere():
    assert mutants.holes([], ALL, dict.fromkeys(APART))
    assert mutants.holes([], APART, dict.fromkeys(APART)) == []


def test_what_is_kept_stays_but_for_what_was_tried_again():
    def taken(commit, *found):
        return mutants.Mutants(stack="processes", commit=commit, taken_at="", seconds=1.0, mutants=found)

    gone = msgspec.structs.replace(ONE, criterion="no_such_any_more")
    other = msgspec.structs.replace(ONE, criterion="service_ready")
    again = msgspec.structs.replace(ONE, outcome="pass")
    assert mutants.merged(taken("old", ONE, other, gone), taken("new", again), ALL) == taken(
        "new", other, again
    )
    assert mutants.merged(None, taken("new", again), ALL) == taken("new", again)


def test_what_could_not_be_told_is_inconclusive():
    lost = told(ONE, row("broken", trouble="no verdict"))
    other = msgspec.structs.replace(told(ONE, row("broken")), kind="compares-nothing")
    assert lost.trouble == "no verdict"
    found = mutants.holes([lost, other], ["error_rate"], {})
    assert (found, mutants.exit_code([lost, other], found)) == ([], 6)
    assert mutants.exit_code([other], []) == 0
    assert mutants.exit_code([other], ["a hole"]) == 1


def test_the_table_says_which_fault_killed_which(tmp_path):
    made = mutants.Mutants(
        stack="processes", commit="abc", taken_at="", seconds=60.0, mutants=(told(ONE, row("broken")),)
    )
    mutants.write(made, tmp_path / "mutants.json")
    assert mutants.read(tmp_path / "mutants.json") == made
    said = mutants.text(made, []).splitlines()
    assert said[2].split() == ["error_rate", "noticed", "not", "tried", "broken"]
    assert said[-1] == "ALL NOTICED · 1 of 1 mutants noticed · 1.0 min"
    assert max(map(len, said)) <= 100


@pytest.fixture
def broken(monkeypatch):
    """The decision as a mutant makes it, for these criteria."""

    def make(kind, criterion):
        whole = checks.plugin.Decide
        monkeypatch.setattr(checks.plugin, "Decide", whole)  # put back at the end
        monkeypatch.setenv(mutant.ORDER, f"{kind}:{criterion}")
        mutant.pytest_configure()
        return checks.plugin.Decide((criterion, "debug_off"), LIMITS)

    return make


def decide_all(decide: Decide, criterion: str) -> None:
    how = {
        "require": lambda name: decide.require(name, ["wrong"], summary="", next="x"),
        "value": lambda name: decide.value(name, 1e12, evidence="", next="x"),
        "rate": lambda name: decide.rate(name, failures=600, n=600, evidence="", next="x"),
        "mean": lambda name: decide.mean(name, [60.0] * 30, evidence="", next="x"),
        "quantile": lambda name: decide.quantile(name, 0.95, [60.0] * 300, evidence="", next="x"),
        "interval": lambda name: decide.interval(
            name, Interval(9.0, 9.0, 9.0), n=9, evidence="", summary="", next="x"
        ),
        "failed": lambda name: decide.failed(name, False, evidence="", next="x"),
    }
    how[WAYS[criterion]](criterion)
    decide.require("debug_off", ["on"], summary="", next="x")


WAYS = {
    "bucket_exists": "require",
    "memory_usage": "value",
    "error_rate": "rate",
    "average_tts_time": "mean",
    "p95_response_time": "quantile",
    "response_time_increase": "interval",
    "service_ready": "failed",
}


@pytest.mark.parametrize("criterion", WAYS)
def test_a_whole_decision_fails_each_of_them(criterion):
    decide = Decide((criterion, "debug_off"), LIMITS)
    decide_all(decide, criterion)
    assert [seen.outcome for seen in decide.observations] == ["fail", "fail"]


@pytest.mark.parametrize("criterion", WAYS)
def test_one_that_always_passes_passes_it_and_no_other(broken, criterion):
    decide = broken("passes", criterion)
    decide_all(decide, criterion)
    assert [seen.outcome for seen in decide.observations] == ["pass", "fail"]


@pytest.mark.parametrize("criterion", WAYS)
def test_one_that_compares_nothing_fails_no_more_but_for_any_other(broken, criterion):
    decide = broken("compares-nothing", criterion)
    decide_all(decide, criterion)
    found = {seen.criterion: seen.outcome for seen in decide.observations}
    assert found.pop("debug_off") == "fail"
    assert found == ({} if criterion == "service_ready" else {criterion: "pass"})


@pytest.mark.parametrize("given", ["", "passes", "passes:no_such", "fails:error_rate"])
def test_an_order_that_names_nothing_is_refused(monkeypatch, given):
    monkeypatch.setenv(mutant.ORDER, given)
    with pytest.raises(pytest.UsageError, match="KIND:CRITERION"):
        mutant.pytest_configure()


def test_the_product_never_loads_it():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import checks.plugin, checks.fixtures, rollback.plugin, sys; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"DRILLS_MUTANT": "passes:error_rate"},
    ).stdout.split()
    assert not [name for name in told if name.startswith("drills")]
