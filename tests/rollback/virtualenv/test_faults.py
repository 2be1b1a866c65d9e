"""Whatever fails while a virtualenv is put back: the old one or the new one, never a mixture."""

import pytest

from tests.rollback.faults import strike_everywhere
from tests.rollback.trees import install, site_packages

pytestmark = pytest.mark.drill


@pytest.mark.parametrize(
    ("kind", "for_good"),
    [("connection lost", True), ("answer lost", False), ("permission denied", False)],
)
def test_at_every_call_to_the_host(trees, kind, for_good):
    def versions(venv):
        return sorted(path.name for path in site_packages(venv).glob("*.dist-info"))

    def reset():
        trees.reset()
        install(trees.venv, "openai", "0.9")
        trees.place.restart()

    def is_new():
        assert versions(trees.venv) == versions(trees.backup)
        assert not list(trees.place.folder.glob("venv.next.*"))
        assert len(list(trees.place.folder.glob("venv.failed.*"))) == 1, "what was there is kept"
        assert trees.place.serves() == "of 2.3.1"

    def is_old():
        assert "openai-0.9.dist-info" in versions(trees.venv)
        assert not list(trees.place.folder.glob("venv.next.*"))
        assert not list(trees.place.folder.glob("venv.failed.*"))
        trees.place.wait_for(lambda: trees.place.serves() == "of 2.3.1")

    strike_everywhere(
        trees.place,
        ["virtualenv"],
        kind,
        for_good=for_good,
        reset=reset,
        is_new=is_new,
        is_old=is_old,
        every=3,
    )
