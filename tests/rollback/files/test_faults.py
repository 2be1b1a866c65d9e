"""Whatever fails while code is put back: the old release or the new one, never a mixture."""

import pytest

from tests.rollback.faults import strike_everywhere
from tests.rollback.trees import BAD, GOOD

pytestmark = pytest.mark.drill


@pytest.mark.parametrize(
    ("kind", "for_good"),
    [("connection lost", True), ("answer lost", False), ("disk full", False)],
)
def test_at_every_call_to_the_host(trees, kind, for_good):
    def reset():
        trees.reset()
        trees.write_code(BAD)
        trees.place.restart()

    def is_all_of(version, kept):
        assert f'"{version}"' in (trees.package / "__init__.py").read_text()
        assert (trees.package / "names.py").read_text() == f'NAME = "of {version}"\n'
        trees.place.wait_for(lambda: trees.place.serves() == f"of {version}")
        assert not list(trees.checkout.rglob("*.next.*"))
        assert len(list(trees.checkout.rglob("*.failed.*"))) == kept

    strike_everywhere(
        trees.place,
        ["files"],
        kind,
        for_good=for_good,
        reset=reset,
        is_new=lambda: is_all_of(GOOD, kept=2),
        is_old=lambda: is_all_of(BAD, kept=0),
        every=2,
    )
