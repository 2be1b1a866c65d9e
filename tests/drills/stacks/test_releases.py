"""The checkout of a stack: what a release that was just brought to it runs."""

import os
import sys

import pytest

from drills.stacks import releases
from drills.stacks.commands import Commands, base_environment
from drills.stacks.layout import Layout

_TOLD = "from app.services.voice_v2 import __version__; print(__version__)"


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    releases.make_repository(Commands(), made)
    return made


def runs(layout):
    """The version that Python runs of the checkout; it keeps what it compiled."""
    command = [sys.executable, "-c", _TOLD]
    told = Commands().must(
        "python", command, cwd=layout.service, environment=base_environment(), timeout_s=20
    )
    return told.strip()


def test_a_release_of_the_same_size_within_a_second_is_run_as_it_is(layout):
    version_file = layout.service / "app/services/voice_v2/__init__.py"
    os.utime(version_file, (1, 1))
    assert runs(layout) == "2.3.1"
    releases.check_out(Commands(), layout, "v2.3.0")
    os.utime(version_file, (1, 1))
    assert runs(layout) == "2.3.0"
