"""Faults are shared out among stacks, rows are kept as they come, and a stack that is lost costs one row."""

import pytest

from drills import workers
from drills.faults.fault import Fault
from drills.matrix import runs
from drills.matrix.row import HEALTHY, Row
from drills.matrix.runs import Taking
from drills.matrix.workplace import noted


@pytest.fixture
def take(tmp_path, monkeypatch):
    """Take rows of faults of these names with workers that have no stacks."""
    monkeypatch.setattr(runs, "WORKER", "tests.drills.matrix.fake_worker")
    monkeypatch.setattr(runs, "commit", lambda: "abc")

    def run(*names, kind="fake", jobs=1, resume=False):
        faults = [Fault(name=name, says="", part="", must=("error_rate",)) for name in names]
        said: list[str] = []
        matrix = Taking(faults, kind, tmp_path, jobs, said.append).take(resume=resume)
        return matrix, said

    return run


def outcome(matrix):
    return {row.fault: row.trouble for row in matrix.rows if row.fault != HEALTHY}


def test_every_fault_gets_its_row_and_the_stack_is_looked_at_before_and_after(take, tmp_path):
    matrix, said = take("one", "two")
    assert [(row.fault, row.after) for row in matrix.rows] == [
        (HEALTHY, ""),
        (HEALTHY, "two"),
        ("one", ""),
        ("two", "one"),
    ]
    assert all(row.commit == "abc" for row in matrix.rows)
    assert (matrix.jobs, matrix.stack) == (1, "fake")
    assert [line[:5] for line in said] == ["stack", "[1/2]", "[2/2]"]
    assert sorted(path.name for path in tmp_path.glob("stack-*")) == ["stack-1-log", "stack-1.log"]


def test_two_stacks_share_the_faults(take):
    matrix, _ = take("one", "two", "three", "four", jobs=2)
    assert outcome(matrix) == dict.fromkeys(("one", "two", "three", "four"), "")
    assert sum(row.fault == HEALTHY for row in matrix.rows) == 4


def test_no_more_stacks_than_faults_are_brought_up(take):
    matrix, _ = take("one", jobs=4)
    assert sum(row.fault == HEALTHY for row in matrix.rows) == 2


def test_a_stack_that_is_lost_costs_one_row_and_another_takes_its_place(take):
    matrix, said = take("one", "kills", "two")
    assert outcome(matrix) == {"one": "", "kills": "the stack was lost: it said nothing", "two": ""}
    assert any("cannot be used any more" in line for line in said)


def test_a_stack_that_is_not_healed_is_replaced(take):
    matrix, said = take("stays", "two")
    assert outcome(matrix) == {"stays": "", "two": ""}
    assert "stack 1 cannot be used any more: NotHealedError: stays" in said


def test_stacks_that_are_lost_again_and_again_come_to_an_end(take):
    names = [f"kills-{number}" for number in range(6)]
    matrix, _ = take(*names)
    assert [bool(trouble) for trouble in outcome(matrix).values()] == [True] * 4


def test_a_stack_that_does_not_come_up_is_not_tried_again(take):
    matrix, said = take("one", kind="never-up")
    assert matrix.rows == ()
    assert said == ["stack 1 cannot be used any more: StackError: postgres: did not start"]


def test_a_stack_that_is_not_well_takes_no_row(take):
    matrix, said = take("one", kind="unwell")
    assert [(row.fault, list(row.failed)) for row in matrix.rows] == [(HEALTHY, ["error_rate"])]
    assert "is not well" in said[0]


def test_a_worker_that_hangs_is_ended(take, monkeypatch):
    monkeypatch.setattr(Taking, "silent_s", 8.0)
    monkeypatch.setattr(workers, "_LOOK_S", 0.1)
    matrix, said = take("hangs", "two")
    assert outcome(matrix)["hangs"].startswith("the stack was lost")
    assert outcome(matrix)["two"] == ""
    assert any("says nothing" in line for line in said)


def test_what_is_there_is_not_taken_again_and_what_is_inconclusive_is(take, tmp_path):
    take("one", "kills")
    (tmp_path / "rows.jsonl").write_bytes(
        (tmp_path / "rows.jsonl").read_bytes().replace(b'"kills"', b'"two"')
    )
    matrix, said = take("one", "two", resume=True)
    assert said[0] == "1 rows are there already, 1 to go"
    assert outcome(matrix) == {"one": "", "two": ""}
    assert [row.fault for row in noted(tmp_path / "rows.jsonl", Row)] == ["one", "two", "two"]
    matrix, said = take("one", "two", resume=True)
    assert said == ["2 rows are there already, 0 to go"]
    take("one")
    assert [row.fault for row in noted(tmp_path / "rows.jsonl", Row)] == ["one"]
