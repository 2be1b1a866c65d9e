"""What a drill that was killed has left is brought to an end before the next one begins."""

import json
from types import SimpleNamespace

import pytest

from drills import settle as settling
from drills.operator import Typed
from drills.settle import alone, settle
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout


class Operator:
    """Types for a stack whose last run is `last`."""

    def __init__(self, last, *, resumes=0, told=0):
        self.last, self.resumes, self.told = last, resumes, told
        self.typed = []

    def types(self, *words, limit_s):
        self.typed.append(words)
        if words[1] == "status":
            out = json.dumps({"hosts": [{"last": self.last}]})
            return Typed("status", self.told, out if self.told == 0 else "", "no such host", 1.0)
        return Typed("resume", self.resumes, "", "it is stuck", 1.0)


@pytest.fixture
def stack(tmp_path):
    (tmp_path / "run").mkdir()
    return SimpleNamespace(layout=Layout(tmp_path))


@pytest.fixture
def typing(monkeypatch):
    """Has an operator type, and one active fault healed."""

    def use(operator):
        monkeypatch.setattr(settling, "Operator", lambda target_file: operator)
        monkeypatch.setattr(settling, "active", SimpleNamespace(heal=lambda stack, name: ["silence"]))
        return operator

    return use


def test_an_unfinished_rollback_is_gone_on_with_and_then_the_faults_are_healed(stack, typing):
    operator = typing(Operator({"run": "20261128T052934Z-git", "action": "git", "open": True}))
    assert settle(stack, stack.layout.target_file) == ["went on with 20261128T052934Z-git", "healed silence"]
    assert operator.typed[-1] == ("rollback", "git", "--resume")


@pytest.mark.parametrize("last", [None, {"run": "r", "action": "git", "open": False}])
def test_one_that_has_ended_is_left_alone(stack, typing, last):
    operator = typing(Operator(last))
    assert settle(stack, stack.layout.target_file) == ["healed silence"]
    assert len(operator.typed) == 1


def test_one_that_cannot_be_ended_is_an_error(stack, typing):
    typing(Operator({"run": "r", "action": "git", "open": True}, resumes=3))
    with pytest.raises(StackError, match=r"r cannot be brought to an end .*stuck.*python -m drills down"):
        settle(stack, stack.layout.target_file)


def test_a_stack_that_cannot_be_asked_is_an_error(stack, typing):
    typing(Operator(None, told=4))
    with pytest.raises(StackError, match="how the stack stands cannot be told: exit 4: no such host"):
        settle(stack, stack.layout.target_file)


def test_two_drills_on_one_stack_are_refused(stack):
    with alone(stack), pytest.raises(StackError, match="another drill is at work"), alone(stack):
        pass
    with alone(stack):
        pass
