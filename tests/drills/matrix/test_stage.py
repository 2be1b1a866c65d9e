"""What a verdict puts into a row: every criterion, tidy evidence, and why nothing can be learnt from it."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from checks.criterion import criteria
from checks.verdict import CriterionVerdict, NotApplicable, Verdict
from drills.matrix.elsewhere import elsewhere
from drills.matrix.row import Row
from drills.matrix.stage import Judged, Tidy, _unusable, deciders, shortened, told
from drills.matrix.worker import joined
from drills.operator import REPOSITORY
from tests.drills.matrix.rows import row as row_of


class Secrets(msgspec.Struct):
    password: str = "canary-password"
    yandex_folder: str = "folder"


TIDY = Tidy(SimpleNamespace(secrets=Secrets(), layout=SimpleNamespace(root="/tmp/a-stack")))  # type: ignore[arg-type]


def criterion(name: str, outcome: Any, evidence: str = "") -> CriterionVerdict:
    return CriterionVerdict(
        name=name, kind="data", limit="true", unit="", observed=None, n=None, confidence=None,
        outcome=outcome, check="checks/test_data.py::test_bucket", evidence=evidence, summary="", next="",
    )  # fmt: skip


def verdict(*criteria: CriterionVerdict, code: int = 1, **more: Any) -> Verdict:
    given = {"missing": [], "not_applicable": []} | more
    return Verdict(
        verdict="fail", exit_code=code, target="drill", record=None, started_at="", duration_s=1.0,
        requests=1, criteria=list(criteria), **given,
    )  # fmt: skip


def test_every_criterion_is_decided_by_one_check():
    decided = [name for names in deciders().values() for name in names]
    assert sorted(decided) == sorted(criteria({}, where="test"))


def test_a_verdict_fills_the_row_in_its_own_order():
    seen = verdict(
        criterion("rows_match_record", "fail", "bad"),
        criterion("bucket_exists", "fail", "gone"),
        criterion("sequence_ahead", "inconclusive", "not read"),
        criterion("error_rate", "pass"),
        not_applicable=[NotApplicable("checks/test_monitoring.py::test_alerts", "no monitoring")],
    )
    row = told(Row(fault="x"), Judged(seen, 7.123), TIDY)
    assert list(row.failed.items()) == [("rows_match_record", "bad"), ("bucket_exists", "gone")]
    assert row.inconclusive == {"sequence_ahead": "not read"}
    assert (row.passed, row.verdict_s, row.exit_code) == (("error_rate",), 7.12, 1)
    assert row.not_applicable == ("alert_rules_loaded", "no_alert_firing")
    assert row.trouble == ""


def test_what_many_criteria_say_alike_is_kept_once():
    said = {"error_rate": "no answer", "debug_off": "other", "metrics_move": "no answer"}
    assert shortened(said) == {**said, "metrics_move": "as error_rate"}


def test_without_a_verdict_the_row_is_inconclusive():
    assert told(Row(fault="x"), Judged(None, 1.0, "not done after 180 s"), TIDY).trouble
    assert told(Row(fault="x"), Judged(None, 1.0), TIDY).trouble == "no verdict"
    half = told(Row(fault="x"), Judged(verdict(criterion("error_rate", "fail")), 1.0, "no"), TIDY)
    assert (half.trouble, half.failed) == ("no", {})


@pytest.mark.parametrize(
    ("seen", "status", "why"),
    [
        (verdict(), 1, ""),
        (verdict(code=6), 6, ""),
        (verdict(), 0, "ended with exit 0, its verdict says 1"),
        (verdict(code=4, error="no such file"), 4, "nothing was judged (exit 4): no such file"),
        (verdict(code=2), 2, "no reason given"),
        (verdict(missing=["checks/test_data.py::test_bucket"]), 1, "test_bucket did not report"),
    ],
)
def test_a_verdict_that_cannot_be_used_is_said(seen, status, why):
    assert why in _unusable(seen, status)
    assert bool(_unusable(seen, status)) == bool(why)


def test_evidence_is_fit_to_be_kept():
    assert TIDY("password canary-password in\n /tmp/a-stack/.env") == "password •••• in / STACK/.env"
    assert TIDY(f"{REPOSITORY}/checks") == "REPOSITORY/checks"
    assert len(TIDY("x" * 1000)) == 160


def test_what_is_elsewhere_is_shown_there(request):
    for stack in ("processes", "containers"):
        for each in elsewhere(stack).values():
            file, _, name = each.shown.partition("::")
            assert f"def {name}(" in (request.config.rootpath / file).read_text("utf-8")


def test_a_larger_budget_decides_what_the_usual_one_could_not_and_nothing_else():
    usual = row_of("rare", inconclusive=("error_rate", "tts_success_rate"), verdict_s=8.0)
    larger = row_of("rare", "error_rate", "debug_off", inconclusive=("tts_success_rate",), verdict_s=30.0)
    found = joined(usual, larger)
    assert found.failed == {"error_rate": "error_rate is bad"}
    assert list(found.inconclusive) == ["tts_success_rate"]
    assert (found.passed, found.verdict_s) == (usual.passed, 38.0)
    assert "debug_off" in found.passed
    assert joined(usual, Row(fault="rare", trouble="no verdict")).trouble == "no verdict"


def test_what_passed_with_the_usual_budget_has_passed():
    found = joined(row_of("rare"), row_of("rare", "error_rate"))
    assert (found.failed, "error_rate" in found.passed) == ({}, True)
