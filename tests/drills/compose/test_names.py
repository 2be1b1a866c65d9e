"""The names that a run gives to images go with its last container, network and volume, and no sooner."""

import secrets

import pytest

from drills.images import engine as images
from drills.stacks.containers import inventory
from drills.stacks.containers.sweep import sweep
from tests.rollback.containers.engine import Engine

pytestmark = pytest.mark.docker


@pytest.fixture
def tiny():
    """An image of a few bytes, labelled by this run of the tests."""
    made = Engine()
    yield made
    made.clear()


def test_sweeping_takes_the_names_of_a_run_that_is_gone_and_of_no_other(tiny, tmp_path):
    gone, lives = (f"voice-v2-drill-{secrets.token_hex(4)}" for _ in range(2))
    for run in (gone, lives):
        images.tag(tiny.name("good"), f"{run}/voice-v2:latest")
    with inventory.engine() as client:
        network = client.networks.create(lives, labels=inventory.labels(tmp_path, lives, "network"))
        try:
            sweep()
            assert images.id_of(f"{gone}/voice-v2:latest") is None
            assert images.id_of(f"{lives}/voice-v2:latest") == tiny.ids["good"]
        finally:
            network.remove()
    sweep()
    assert images.id_of(f"{lives}/voice-v2:latest") is None
    assert images.id_of(tiny.name("good")) == tiny.ids["good"]


def test_sweeping_takes_what_a_run_that_is_gone_has_made_and_named_no_more(tiny, tmp_path):
    gone = f"voice-v2-drill-{secrets.token_hex(4)}"
    name = f"{tiny.name('good').partition(':')[0]}:made"
    for command in ("one", "two"):
        (tmp_path / "Dockerfile").write_text(f'FROM {tiny.name("good")}\nCMD ["{command}"]\n', "utf-8")
        images.build(tmp_path, name, {inventory.RUN: gone}, {})
    made = ("image", "ls", "--quiet", "--filter", f"label={inventory.RUN}={gone}")
    assert len(images.run(*made).split()) == 2
    sweep()
    assert images.run(*made) == ""
