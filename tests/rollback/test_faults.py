"""Whatever fails in the middle of an action: the old state or the new one, evidence kept, one clear error."""

import pytest

from tests.rollback.faults import strike_everywhere
from tests.rollback.place import BAD, GOOD

pytestmark = pytest.mark.drill

OLD = BAD.replace("sick", "ok")


@pytest.mark.parametrize(
    ("kind", "for_good"),
    [
        ("connection lost", True),
        ("connection lost", False),
        ("disk full", True),
        ("permission denied", False),
    ],
)
def test_at_every_call_to_the_host(quick, kind, for_good):
    def is_old():
        quick.wait_for(lambda: quick.serves() == "bad")
        assert quick.env.read_text() == OLD

    def is_new():
        assert quick.serves() == "good"
        assert quick.env.read_text() == GOOD

    strike_everywhere(
        quick,
        ["environment"],
        kind,
        for_good=for_good,
        reset=lambda: quick.reset(env=OLD),
        is_new=is_new,
        is_old=is_old,
    )
