"""The verdict of a soak, and what counts as a leak."""

import msgspec
import pytest

from drills.soak import Round, Soaked, Speed
from drills.usage import Usage, leaked

BEFORE = Usage(processes=20, open_files=300, connections=4, locks=0, kept_bytes=1_000_000)
FAST = Speed(80, 0.05, 0.2)


def rounds(count=4, **last):
    facts = {
        "command": "python -m rollback environment",
        "began": 1.0,
        "exit": 0,
        "seconds": 6.0,
        "left": False,
    }
    return [Round(**facts)] * (count - 1) + [Round(**{**facts, **last})]


def soaked(**other):
    facts = {
        "stack": "s",
        "started_at": "2026-11-28T05:00:00+00:00",
        "folder": "runs/drills/one",
        "rounds": rounds(),
        "first": FAST,
        "last": FAST,
        "lost": 0,
        "leaks": [],
    }
    made = Soaked(**{**facts, **other})
    made.judge(4)
    return made


def test_nothing_leaks_and_the_last_is_as_quick():
    assert (soaked().verdict, soaked().why) == ("passed", [])


@pytest.mark.parametrize(
    ("other", "verdict", "why"),
    [
        ({"rounds": rounds(exit=1)}, "failed", "`python -m rollback environment` ended with exit 1"),
        ({"rounds": rounds(left=True)}, "failed", "`python -m rollback environment` left a process running"),
        ({"leaks": ["open files: 300, now 400"]}, "failed", "leak of open files: 300, now 400"),
        ({"lost": 2}, "failed", "2 acknowledged writes are gone"),
        ({"last": Speed(80, 0.09, 0.31)}, "failed", "p95 0.200 s at first, 0.310 s at last"),
        (
            {"last": Speed(80, 0.05, 0.31)},
            "inconclusive",
            "p95 0.200 s at first, 0.310 s at last, the median",
        ),
        ({"last": Speed(12, 0.05, 0.2)}, "inconclusive", "too few calls"),
        ({"last": None}, "inconclusive", "too few calls"),
        ({"rounds": rounds(3)}, "inconclusive", "3 of 4 rollbacks were made"),
        ({"leaks": None}, "inconclusive", "leaks were not looked for"),
        ({"lost": None}, "inconclusive", "losses were not counted"),
        ({"trouble": "the traffic ended before its time"}, "inconclusive", "the traffic ended"),
    ],
)
def test_each_thing_that_is_not_good(other, verdict, why):
    found = soaked(**other)
    assert found.verdict == verdict
    assert any(each.startswith(why) for each in found.why), found.why


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"processes": 21}, "processes: 20, now 21"),
        ({"open_files": 340}, "open files: 300, now 340"),
        ({"connections": 14}, "connections: 4, now 14"),
        ({"locks": 1}, "locks: 0, now 1"),
        ({"kept_bytes": 90_000_000}, "bytes on disk: 1000000, now 90000000"),
    ],
)
def test_what_is_held_on_to_is_a_leak(more, says):
    assert leaked(BEFORE, msgspec.structs.replace(BEFORE, **more), 20) == [says]


def test_what_a_pool_holds_and_what_rollbacks_keep_is_none():
    after = msgspec.structs.replace(BEFORE, open_files=305, connections=6, kept_bytes=1_200_000)
    assert leaked(BEFORE, after, 20) == []
