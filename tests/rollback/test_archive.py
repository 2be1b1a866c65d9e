"""The operator's own copy of a journal."""

import json

import pytest

pytestmark = pytest.mark.drill


def test_a_run_leaves_a_copy_of_its_journal_without_secrets(quick, copies):
    assert quick.run("environment")[0] == 0
    (copy,) = copies.glob("*/journal.jsonl")
    assert copy.parent.name.endswith("-environment-tiny")
    assert [json.loads(line) for line in copy.read_text().splitlines()] == quick.journals()[-1]
    assert "swordfish" not in copy.read_text()


def test_a_dry_run_and_a_refusal_leave_none(quick, copies):
    assert quick.run("environment", "--dry-run")[0] == 0
    quick.previous.unlink()
    assert quick.run("environment")[0] == 5
    assert not copies.exists()


def test_a_copy_that_cannot_be_written_is_told_and_stops_nothing(quick, copies):
    copies.write_text("a file in its place")
    code, out = quick.run("environment")
    assert code == 0
    assert "no copy of the journal is kept on this machine" in " ".join(out.split())
