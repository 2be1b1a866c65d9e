"""Waiting ends when the condition holds, when it no longer can, or at the deadline, and says what was seen."""

from itertools import count

from target.wait import Seen, eventually


def test_it_ends_as_soon_as_the_condition_holds():
    looks = count(1)
    waited = eventually(
        lambda: Seen(met=(n := next(looks)) == 3, seen=f"look {n}"), deadline_s=5, interval_s=0.001
    )
    assert (waited.met, waited.attempts, waited.seen) == (True, 3, "look 3")


def test_it_ends_early_when_the_state_is_final():
    waited = eventually(lambda: Seen(met=False, seen="crashed", final=True), deadline_s=5)
    assert (waited.met, waited.attempts, waited.seen) == (False, 1, "crashed")
    assert waited.seconds < 1


def test_it_ends_at_the_deadline_with_the_last_thing_seen():
    waited = eventually(lambda: Seen(met=False, seen="starting"), deadline_s=0.05, interval_s=0.001)
    assert not waited.met
    assert waited.seen == "starting"
    assert 0.05 <= waited.seconds < 1


def test_every_attempt_is_reported():
    heard = []
    eventually(
        lambda: Seen(met=len(heard) == 2, seen="x"),
        deadline_s=5,
        interval_s=0.001,
        on_attempt=lambda n, seen: heard.append((n, seen.met)),
    )
    assert heard == [(1, False), (2, False), (3, True)]
