"""Whatever fails in the middle of leaving a provider out: the old state or the new one, and one clear error."""

import pytest

from tests.rollback.faults import strike_everywhere
from tests.rollback.providers.test_providers import is_new, is_old

pytestmark = pytest.mark.drill


@pytest.mark.parametrize(
    ("kind", "for_good", "every"),
    [("connection lost", True, 2), ("disk full", False, 1), ("answer lost", False, 2)],
)
def test_at_every_call_to_the_host(chosen, kind, for_good, every):
    strike_everywhere(
        chosen,
        ["providers"],
        kind,
        for_good=for_good,
        reset=chosen.again,
        is_new=lambda: is_new(chosen),
        is_old=lambda: is_old(chosen),
        every=every,
    )
