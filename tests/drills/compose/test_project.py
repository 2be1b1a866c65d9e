"""The action `containers` as a person would use it, on the compose project of a stack, with both compose programs."""

import shutil
from contextlib import contextmanager

import pytest

from drills.faults import active, catalogue, container
from drills.images import engine
from drills.plan import rehearsed
from tests.drills.operator import Operator

pytestmark = pytest.mark.docker

_WITHOUT_V2 = '#!/bin/sh\n[ "$1" = compose ] && exit 1\nexec {docker} "$@"\n'
_FAULT = rehearsed("containers")["containers"]


@contextmanager
def only(program, folder):
    """That compose program, and no other, for this process and what it starts."""
    with pytest.MonkeyPatch.context() as patch:
        if program == "docker-compose":
            hidden = folder / "docker"
            hidden.write_text(_WITHOUT_V2.format(docker=shutil.which("docker")))
            hidden.chmod(0o755)
            patch.setenv("PATH", str(folder), prepend=":")
        yield


@pytest.fixture(scope="module", params=["docker compose", "docker-compose"])
def operator(request, stack, forget, tmp_path_factory):
    """The person at the project, which was brought up and recorded with that compose program alone."""
    with only(request.param, tmp_path_factory.mktemp("bin")):
        yield Operator(stack, tmp_path_factory.mktemp("runs"), _FAULT.target_file(stack))
        forget()


@pytest.fixture
def state(stack, names_of):
    """What a fault of a container may leave no trace in."""

    def look():
        project = container.project_of(stack)
        made = project.container()
        files = {path.name: path.read_bytes() for path in project.folder.iterdir() if path.is_file()}
        return made.image, made.health, files, names_of(), engine.id_of(project.image("latest"))

    return look


def test_inject_triage_roll_back_green_undo_red(operator, state):
    before = state()
    active.inject(operator.stack, _FAULT.name)
    try:
        broken = operator.judges()
        assert broken.code == 1, broken.screen
        assert set(_FAULT.must) <= set(broken.failed) <= {*_FAULT.must, *_FAULT.may}, broken.screen
        found = operator.triages()
        assert "python -m rollback containers " in found["cure"]["command"], found
        assert found["scenario"] == _FAULT.scenario
        operator.rolls_back("containers")
        rolled_back = operator.judges()
        assert rolled_back.code == 0, rolled_back.screen
        operator.rolls_back("containers", "--undo")
        undone = operator.judges()
        assert (undone.code, undone.failed) == (1, broken.failed), undone.screen
    finally:
        active.heal(operator.stack, _FAULT.name)
    operator.saw_no_secret()
    assert state() == before


@pytest.mark.parametrize("operator", ["docker compose"], indirect=True)
@pytest.mark.parametrize(
    "fault", [fault for fault in container.FAULTS if fault is not _FAULT], ids=lambda it: it.name
)
def test_lands_and_heals(operator, state, fault):
    stack = operator.stack
    before = state()
    evidence = active.inject(stack, fault.name)
    assert [(item.name, item.evidence) for item in active.active(stack)] == [(fault.name, evidence)]
    assert active.heal(stack, fault.name) == [fault.name]
    assert state() == before


@pytest.mark.parametrize("operator", ["docker compose"], indirect=True)
def test_what_does_not_serve_is_told_and_cured(operator):
    fault = catalogue.find("crash-loop")
    active.inject(operator.stack, fault.name)
    try:
        broken = operator.judges()
        assert set(broken.failed) == set(fault.must), broken.screen
        assert operator.triages()["scenario"] == fault.scenario
        operator.rolls_back("containers")
        assert operator.judges().code == 0
    finally:
        active.heal(operator.stack, fault.name)
