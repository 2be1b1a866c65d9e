"""A containers stack for the tests of its compose project."""

import shutil

import pytest

from drills.images import engine


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """A containers stack; after it no image has a name of its run."""
    # Imported here so that tests without a stack start fast.
    from drills.stacks.kinds import brought_up
    from drills.stacks.layout import CONTAINERS

    with brought_up(CONTAINERS, tmp_path_factory.mktemp("stack"), latency_s=None, say=print) as (made, _):
        yield made
        made.take_down()
    assert images_of(made.run) == []


def images_of(run):
    """The images that a run has named or made."""
    listed = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    named = engine.run(*listed, f"{run}/voice-v2").split()
    return sorted({*named, *engine.run(*listed, "--filter", f"label=voice-v2-drill.run={run}").split()})


@pytest.fixture(scope="session")
def names_of(stack):
    """What `images_of` says of this stack."""
    return lambda: images_of(stack.run)


@pytest.fixture(scope="session")
def forget(stack):
    """Take the compose project away, so that the next test makes it anew."""
    from drills.faults.container import project_of

    def forget_it():
        project = project_of(stack)
        project.compose("rm", "--stop", "--force")
        project.target_file.unlink(missing_ok=True)
        shutil.rmtree(project.folder)

    return forget_it
