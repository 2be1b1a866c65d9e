"""Which faults are drilled."""

import pytest

from drills.faults.catalogue import FAULTS
from drills.faults.fault import FaultError
from drills.plan import chosen, not_rehearsed, rehearsed
from rollback.catalogue import OFFERS


def names(*given, family=None, every=False, stack="processes"):
    return [fault.name for fault in chosen(given, family, every=every, stack=stack)]


def test_without_a_name_every_action_is_rehearsed_once():
    found = chosen((), None, every=False, stack="processes")
    assert [fault.cure for fault in found] == list(rehearsed("processes"))
    assert {"environment", "providers", "git", "files", "virtualenv", "objects", "database", "set"} <= {
        fault.cure for fault in found
    }


def test_an_action_is_rehearsed_or_told_to_be_not():
    for stack in ("processes", "containers"):
        assert sorted([*rehearsed(stack), *not_rehearsed(stack)]) == sorted(OFFERS)


def test_all_is_every_fault_that_can_be_made_there():
    every = chosen((), None, every=True, stack="processes")
    assert sorted(fault.name for fault in every) == sorted(
        fault.name for fault in FAULTS if "processes" in fault.stacks
    )
    storage = [fault.name for fault in every if fault.part == "storage"]
    assert storage
    assert [fault.name for fault in every[: len(storage)]] == storage, (
        "later ones find a bucket that has grown"
    )


def test_a_family():
    assert {fault.family for fault in chosen((), "database", every=False, stack="processes")} == {"database"}
    assert "database-down" in names(family="database"), "one without a cure too"


@pytest.mark.parametrize("stack", ["processes", "containers"])
def test_one_of_each_family_is_one_that_an_action_cures_where_there_is_such(stack):
    found = chosen((), None, every=False, stack=stack, each_family=True)
    there = [fault for fault in FAULTS if stack in fault.stacks]
    assert [fault.family for fault in found] == list(dict.fromkeys(fault.family for fault in there))
    had = [fault.cure for fault in found]
    assert {"environment", "git", "files", "providers", "objects", "database", "virtualenv", "set"} <= set(
        had
    )
    for fault in found:
        assert fault.cure or not any(each.cure for each in there if each.family == fault.family)


def test_names_of_faults_and_of_actions_each_once():
    assert names("silence", "environment", "silence") == [
        "silence",
        rehearsed("processes")["environment"].name,
    ]


@pytest.mark.parametrize(
    ("given", "family", "stack", "says"),
    [
        (("silense",), None, "processes", "did you mean silence"),
        ((), "weather", "processes", "there is no family 'weather'; there is: .*database"),
        (("silence",), None, "nowhere", "silence cannot be made on the stack nowhere"),
        ((), "database", "nowhere", "no fault of that kind"),
        (("silence",), "provider", "processes", "named as well: silence; leave out --family"),
    ],
)
def test_what_cannot_be_drilled_is_refused(given, family, stack, says):
    with pytest.raises(FaultError, match=says):
        names(*given, family=family, stack=stack)
