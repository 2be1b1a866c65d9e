"""Whether a check applies to this target; the rest is in the plugin."""

import pytest

from checks.plugin import not_applicable
from checks.run import Run, reached
from checks.surroundings import Surroundings


@pytest.fixture(autouse=True)
async def _applies(request: pytest.FixtureRequest, run: Run, surroundings: Surroundings) -> None:
    for key in (key for mark in request.node.iter_markers("needs") for key in mark.args):
        if key.startswith("record."):
            there, owner = reached(await surroundings.record(), key.removeprefix("record.")), "the record"
        else:
            there, owner = reached(run.target, key), "the target file"
        if not there:
            not_applicable(request.node, f"{owner} has no `{key.removeprefix('record.')}`")
