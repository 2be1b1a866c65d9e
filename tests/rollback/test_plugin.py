"""The fixture `rollback_environment`, used as a drill or a team's own test would."""

import os

import pytest

from rollback.errors import Refused
from rollback.plugin import rollback_environment  # noqa: F401  (the fixture under test)
from target import load


@pytest.fixture
def target(quick):
    return load.load(quick.target, environ=os.environ)


def test_rolls_back_and_undoes(quick, rollback_environment):  # noqa: F811  (a fixture is named by its parameter)
    (result,) = rollback_environment()
    assert (result.outcome, result.exit_code) == ("done", 0)
    assert [step.name for step in result.steps] == [
        "1 set aside .env",
        "2 switch .env",
        "3 restart",
        "4 prove",
    ]
    assert quick.serves() == "good"
    assert rollback_environment(undo=True)[0].outcome == "undone"
    assert quick.serves() == "bad"


async def test_inside_a_running_loop(quick, rollback_environment):  # noqa: F811  (as above)
    assert rollback_environment()[0].outcome == "done"


class TestProduction:
    @pytest.fixture
    def target(self, quick):
        quick.write_target(production=True)
        return load.load(quick.target, environ=os.environ)

    def test_has_to_be_named(self, quick, rollback_environment):  # noqa: F811  (as above)
        with pytest.raises(Refused, match="is production"):
            rollback_environment()
        assert not quick.state.exists()
        assert rollback_environment(confirm="tiny")[0].outcome == "done"
