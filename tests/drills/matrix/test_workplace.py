"""What is noted as it comes outlives a kill; a folder is for one run at a time."""

import pytest

from drills.matrix import workplace
from drills.matrix.row import Row
from drills.matrix.workplace import alone, clear, keep_logs, note, noted
from drills.stacks.errors import StackError
from tests.drills.matrix.rows import row


def test_what_comes_is_noted_in_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert noted(path, Row) == []
    for each in (row("one"), row("two"), row("one", "error_rate")):
        note(each, path)
    assert noted(path, Row) == [row("one"), row("two"), row("one", "error_rate")]


@pytest.mark.parametrize("left", [9, 1])
def test_what_was_cut_short_by_a_kill_is_not_there_and_gives_way(tmp_path, left):
    path = tmp_path / "rows.jsonl"
    note(row("one"), path)
    note(row("two"), path)
    path.write_bytes(path.read_bytes()[:-left])
    assert noted(path, Row) == [row("one")]
    note(row("three"), path)
    assert noted(path, Row) == [row("one"), row("three")]


def test_what_is_something_else_is_said(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("[]\n")
    with pytest.raises(StackError, match="take it anew"):
        noted(path, Row)


def test_a_folder_is_for_one_run_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(workplace, "_FREE_S", 0.2)
    said = []
    with alone(tmp_path / "work", said.append):
        assert said == []
        with pytest.raises(StackError, match="wait for its end"), alone(tmp_path / "work", said.append):
            pytest.fail("two at once")
    assert len(said) == 1
    with alone(tmp_path / "work", said.append):
        assert len(said) == 1


def test_a_new_run_starts_clean_and_of_a_stack_only_the_logs_stay(tmp_path):
    for path in ("rows.jsonl", "stack-1/log/front.log", "stack-1/stack.json", "runs/one/verdict.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    keep_logs(tmp_path / "stack-1")
    assert (tmp_path / "stack-1-log" / "front.log").exists()
    assert not (tmp_path / "stack-1").exists()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["stack-1-log"]
