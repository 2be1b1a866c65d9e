"""A broken check is judged as its whole one was seen to fail: alone, or where that does not do, among all checks."""

import pytest

from drills.faults.fault import Fault
from drills.matrix import mutating
from tests.drills.matrix.rows import row

FAULT = Fault(name="broken", says="", part="", must=("error_rate", "no_crash_loop"))


class Stack:
    def wait_service(self) -> None:
        """It is well."""


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """The mutants, the runs of the checks that it took and what was injected and healed."""

    def run(*criteria, judged):
        done, ran = [], []

        def judge_(stack, fault, checks, folder, orders=None):
            ran.append((folder.name, len(checks)))
            return judged(checks, orders)

        monkeypatch.setattr(mutating.active, "inject", lambda stack, name: done.append(f"inject {name}"))
        monkeypatch.setattr(mutating.active, "heal", lambda stack, name: done.append(f"heal {name}"))
        monkeypatch.setattr(mutating, "_judged", judge_)
        found = list(mutating._against(Stack(), FAULT, criteria, tmp_path))
        assert done == ["inject broken", "heal broken"]
        return found, ran

    return run


def test_what_its_own_check_sees_is_judged_by_that_alone(tried):
    found, ran = tried(
        "error_rate", judged=lambda checks, orders: row() if orders else row("broken", "error_rate")
    )
    assert [(each.whole, each.outcome) for each in found] == [("fail", "pass")] * 2
    assert ran == [("whole", 1), ("error_rate-passes", 1), ("error_rate-compares-nothing", 1)]


def test_what_only_all_checks_together_see_is_judged_by_all(tried):
    def judged(checks, orders):
        return (
            row("broken", "error_rate") if checks or orders else row("broken", "error_rate", "no_crash_loop")
        )

    found, ran = tried("no_crash_loop", judged=judged)
    assert [(each.whole, each.outcome, bool(each.noticed)) for each in found] == [("fail", "pass", True)] * 2
    assert ran == [
        ("whole", 1),
        ("all", 0),
        ("no_crash_loop-passes", 0),
        ("no_crash_loop-compares-nothing", 0),
    ]


def test_what_no_check_sees_cannot_be_tried(tried):
    found, ran = tried("no_crash_loop", judged=lambda checks, orders: row("broken"))
    assert ran == [("whole", 1), ("all", 0)]
    assert all("not broken, it is pass, by its own check alone and by all" in each.trouble for each in found)


def test_a_run_that_cannot_be_used_is_the_trouble_of_all_of_them(tried):
    found, ran = tried("error_rate", judged=lambda checks, orders: row("broken", trouble="no verdict"))
    assert ran == [("whole", 1)]
    assert {each.trouble for each in found} == {"no verdict"}
