"""The table of what is tested of each action."""

import pytest

from rollback.catalogue import OFFERS
from tests import coverage
from tests.coverage import ASPECTS, Told


@pytest.fixture(autouse=True)
def one_action(monkeypatch):
    """Whatever actions there are, one is enough to see the table by."""
    monkeypatch.setattr(coverage, "OFFERS", {"environment": OFFERS["environment"]})


def test_a_cell_without_a_test_is_a_hole():
    cells, wrong = coverage.covered(
        [("t::a", ("environment", *ASPECTS[:-1])), ("t::b", ("environment", "apply"))]
    )
    lines, holes = coverage.table(cells, {"t::a": "passed"})
    assert wrong == []
    assert lines[1].split() == ["environment", "1/2", "1/1", "1/1", "1/1", "1/1", "-"]
    assert holes == ["environment: no test covers second"]


def test_a_cell_whose_test_failed_here_is_a_hole_and_one_that_did_not_run_is_none():
    cells, _ = coverage.covered([("t::a", ("environment", *ASPECTS))])
    assert coverage.table(cells, {})[1] == []
    assert coverage.table(cells, {"t::a": "skipped"})[1] == []
    assert "environment: kill: failed here: t::a" in coverage.table(cells, {"t::a": "failed"})[1]


def test_a_mark_that_names_what_there_is_not_is_told_with_its_test():
    marks = [("t::a", ("enviroment", "apply")), ("t::b", ("environment", "aply")), ("t::c", ("environment",))]
    assert [line.partition(":")[0] for line in coverage.covered(marks)[1]] == ["t", "t", "t"]
    assert "there are environment" in coverage.covered(marks)[1][0]


def test_the_last_outcome_counts_and_the_file_does_not_grow(tmp_path):
    path = tmp_path / "kept" / "outcomes.jsonl"
    assert coverage.known(path) == {}
    coverage.keep(Told("t::a", "failed"), path)
    coverage.keep(Told("t::b", "passed"), path)
    coverage.keep(Told("t::a", "passed"), path)
    assert coverage.known(path) == {"t::a": "passed", "t::b": "passed"}
    assert len(path.read_text().splitlines()) == 2
