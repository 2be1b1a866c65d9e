"""Who is left out, and who is first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.actions.providers.decision import check_names, decide
from rollback.actions.providers.probe import Answers
from rollback.errors import Refused
from target.provider_order import Order

NAMES = ("openai", "google", "yandex")
EVERY = Order(NAMES, NAMES)


def answers(**troubles):
    """How many of two questions each answers wrong."""
    return [Answers(name, 2, ("tts: 401",) * troubles.get(name, 0)) for name in NAMES]


def decided(before=EVERY, disable=(), first=None, **troubles):
    asked = [each for each in answers(**troubles) if each.name not in disable]
    found = decide(before, asked, disable, first)
    return found.out, found.first, found.after.stt, found.after.tts


@pytest.mark.parametrize(
    ("asked", "out", "after"),
    [
        ({}, (), NAMES),
        ({"google": 2}, ("google",), ("openai", "yandex")),
        ({"openai": 2}, ("openai",), ("google", "yandex")),
        ({"openai": 2, "google": 1}, ("openai",), ("yandex", "google")),
        ({"openai": 1}, (), NAMES),
        ({"first": "yandex"}, (), ("yandex", "openai", "google")),
        ({"first": "yandex", "google": 2}, ("google",), ("yandex", "openai")),
        ({"disable": ("openai",)}, ("openai",), ("google", "yandex")),
        ({"disable": ("openai", "yandex")}, ("openai", "yandex"), ("google",)),
        ({"disable": ("openai",), "google": 2}, ("openai",), ("yandex", "google")),
        ({"disable": ("openai",), "first": "yandex"}, ("openai",), ("yandex", "google")),
    ],
)
def test_the_failing_are_left_out_and_a_stable_one_is_first(asked, out, after):
    assert decided(**asked) == (out, after[0], after, after)


def test_each_operation_keeps_its_own_order_otherwise():
    before = Order(("google", "openai", "yandex"), ("yandex", "openai"))
    assert decided(before, google=2) == (("google",), "openai", ("openai", "yandex"), ("openai", "yandex"))
    before = Order(("google",), ("openai", "yandex"))
    assert decided(before, google=2)[2:] == (("openai",), ("openai", "yandex"))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"openai": 2, "google": 2, "yandex": 2}, "no provider that would be left answers right for both"),
        ({"openai": 2, "google": 1, "yandex": 1}, "google fails 1 of 2 asked directly: tts: 401"),
        ({"first": "google", "google": 1}, "google does not answer right for both operations with these"),
        ({"disable": ("openai",), "google": 1, "yandex": 2}, "no provider that would be left answers right"),
    ],
)
def test_none_that_is_stable_could_be_first(asked, says):
    with pytest.raises(Refused, match=says):
        decided(**asked)


def test_one_that_the_target_does_not_describe_cannot_be_raised():
    with pytest.raises(Refused, match="it is not described in the target"):
        decide(Order(("other",), ("other",)), [], (), "other")


@pytest.mark.parametrize(
    ("disable", "first", "says"),
    [
        (("acme",), None, "no provider is called 'acme': there is openai, google, yandex, spare; nothing"),
        ((), "acme", "no provider is called 'acme'"),
        (("google",), "google", "google cannot be both disabled and raised"),
        (NAMES, None, "none would be left for STT, and at least one has to stay enabled"),
    ],
)
def test_what_cannot_be(disable, first, says):
    with pytest.raises(Refused, match=says):
        check_names(EVERY, ("openai", "spare"), disable, first)


def test_the_last_of_one_operation_stays():
    with pytest.raises(Refused, match="none would be left for TTS"):
        check_names(Order(NAMES, ("google",)), NAMES, ("google",), None)
    check_names(Order(NAMES, ("google",)), NAMES, ("google",), "openai")


orders = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)


@given(
    before=st.builds(Order, orders, orders),
    troubles=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2)),
    disable=st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
    first=st.none() | st.sampled_from(NAMES),
)
def test_whatever_is_asked_one_stays_and_none_is_there_twice(before, troubles, disable, first):
    asked = [each for each in answers(**troubles) if each.name not in disable]
    try:
        check_names(before, NAMES, disable, first)
        found = decide(before, asked, disable, first)
    except Refused:
        return
    for names in (found.after.stt, found.after.tts):
        assert names
        assert len(set(names)) == len(names)
        assert not set(names) & set(found.out)
    if found.after != before:
        assert found.after.stt[0] == found.after.tts[0] == found.first
        assert not troubles.get(found.first)
