"""A port that is taken between choosing it and using it is no reason to give up, three in a row are."""

import pytest

from drills.stacks.bringing_up import with_free_ports
from drills.stacks.errors import PortTakenError, StackError
from drills.stacks.layout import Layout


def attempts(*outcomes):
    left = list(outcomes)

    def attempt():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt, left


def test_once_more_with_others(tmp_path):
    said = []
    attempt, left = attempts(PortTakenError("postgres: address in use"), "a stack")
    assert with_free_ports(Layout(tmp_path), attempt, said.append) == "a stack"
    assert (left, len(said)) == ([], 1)
    assert "postgres: address in use" in said[0]


def test_three_are_enough(tmp_path):
    attempt, left = attempts(*[PortTakenError("taken")] * 3, "a stack")
    with pytest.raises(PortTakenError):
        with_free_ports(Layout(tmp_path), attempt, print)
    assert left == ["a stack"]


def test_another_failure_is_not_tried_again(tmp_path):
    attempt, left = attempts(StackError("no room"), "a stack")
    with pytest.raises(StackError, match="no room"):
        with_free_ports(Layout(tmp_path), attempt, print)
    assert left == ["a stack"]


def test_what_an_attempt_left_is_cleared_before_the_next(tmp_path):
    layout = Layout(tmp_path)
    seen = []

    def attempt():
        seen.append(layout.stack_file.exists())
        layout.stack_file.touch()
        if len(seen) < 2:
            raise PortTakenError("taken")

    with_free_ports(layout, attempt, print)
    assert seen == [False, False]
