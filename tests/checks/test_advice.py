"""What is advised can be typed: every command that advice names is one that there is."""

import re

import msgspec
import pytest

from checks import advice
from rollback.catalogue import OFFERS
from tests.checks.deployment import TARGET

BARE = msgspec.structs.replace(
    TARGET, code=None, virtualenv=None, objects=None, database=None, service=None, environment=None
)


@pytest.mark.parametrize("target", [TARGET, BARE], ids=["offers", "offers nothing"])
def test_every_action_that_is_advised_is_one_that_there_is(target):
    texts = [
        advice.environment(target),
        advice.other_environment(target),
        advice.providers(target, ["google"]),
        advice.git(target),
        advice.files(target),
        advice.containers(target),
        advice.virtualenv(target),
        advice.objects(target),
        advice.database(target),
        advice.together(target),
        advice.together(target, to="2.3.1"),
    ]
    named = [re.search(r"python -m rollback (\w+)", text) for text in texts]
    assert {match[1] for match in named if match} <= set(OFFERS)
    assert len([match for match in named if match]) >= len(texts) - 1


def test_what_python_has_compiled_of_other_code_goes_by_a_backup_by_git_or_by_hand():
    backed_up = msgspec.structs.replace(
        TARGET, code=msgspec.structs.replace(TARGET.code, backups="/backups/%Y%m%d")
    )
    assert "rollback files" in advice.compiled(backed_up, "a1b2c3d", "restart it")
    assert "rollback git" in advice.compiled(TARGET, "a1b2c3d", "restart it")
    by_hand = advice.compiled(TARGET, None, "restart it")
    assert "__pycache__" in by_hand
    assert by_hand.endswith("then restart it")
