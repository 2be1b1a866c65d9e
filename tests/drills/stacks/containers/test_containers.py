"""The containers stack: what runs, that it recovers over docker:// and ssh://, and that nothing outlives its end."""

import os
import signal
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from drills.faults import active
from drills.operator import Operator
from drills.plan import rehearsed
from drills.stacks.containers import images, inventory
from drills.stacks.containers.bring_up import brought_up
from drills.stacks.containers.layout import ssh_target_file
from drills.stacks.layout import LOOPBACK, Layout
from drills.stacks.stack import PARTS, Stack
from target.load import load
from target.wait import Seen, eventually

pytestmark = pytest.mark.docker
LIMIT_S = 240.0
REHEARSED = rehearsed("containers")


def things(folder):
    with inventory.engine() as client:
        return sorted(str(thing) for thing in inventory.things(client, folder))


def drills(*words, limit_s=LIMIT_S):
    command = [sys.executable, "-m", "drills", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    root = tmp_path_factory.mktemp("containers")
    with brought_up(root, latency_s=None, say=print) as (made, _):
        for verb in ("record", "snapshot"):
            done = Operator(made.layout.target_file).types("rollback", verb, limit_s=LIMIT_S)
            assert done.exit == 0, done.out + done.errors
        yield made
        made.take_down()
        assert things(made.layout.root) == []


@pytest.fixture
def stranger():
    """A container of somebody else's, that must be there in the end as it was."""
    name = f"voice-v2-tests-{uuid.uuid4().hex[:8]}"
    with inventory.engine() as client:
        made = client.containers.run(images.names()["stand-ins"], ["sleep", "600"], name=name, detach=True)
        try:
            yield made
            made.reload()
            assert made.status == "running"
        finally:
            made.remove(force=True)


def test_all_parts_run_and_are_published_on_the_loopback_alone(stack):
    assert {part.program.name: part.program.state for part in stack.parts()} == dict.fromkeys(
        PARTS, "RUNNING"
    )
    assert all(part.program.pid > 1 and part.program.started_at > 0 for part in stack.parts())
    with inventory.engine() as client:
        addresses = {
            port["IP"]
            for thing in inventory.things(client, stack.layout.root)
            if thing.kind == "container"
            for port in client.api.containers(filters={"name": f"^/{thing.name}$"})[0]["Ports"]
            if "PublicPort" in port
        }
    assert addresses == {LOOPBACK}


def test_the_process_of_the_service_is_named_as_this_machine_sees_it(stack):
    pid = stack.supervisor.state("voice-v2").pid
    assert b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_it_is_healthy_and_its_target_files_load(stack):
    said = stack.ask("GET", "/health").json()
    assert (said["system_status"], said["version"]) == ("healthy", "2.3.1")
    for file in (stack.layout.target_file, ssh_target_file(stack.layout)):
        assert load(file, environ={}).api.url == stack.url


def test_up_where_it_runs_changes_nothing(stack):
    before = things(stack.layout.root)
    with brought_up(stack.layout.root, latency_s=None, say=print) as (again, lease):
        assert (lease, again.run) == (None, stack.run)
    assert things(stack.layout.root) == before


def test_a_stack_of_processes_is_not_put_over_it(stack):
    done = drills("up", "--stack", "processes", "--dir", stack.layout.root)
    assert (done.returncode, "a stack of containers runs" in done.stderr) == (4, True)


def test_a_part_that_is_stopped_and_started_says_so(stack):
    for name in ("storage", "voice-v2"):
        stack.supervisor.stop(name)
        stack.supervisor.stop(name)
        assert (stack.supervisor.state(name).state, stack.supervisor.state(name).pid) == ("STOPPED", 0)
        stack.supervisor.start(name)
        stack.supervisor.start(name)
        assert stack.supervisor.state(name).state == "RUNNING"
    stack.wait_service()
    assert stack.log("voice-v2", 50)


@pytest.mark.parametrize("action", ["environment", "git", "files"])
def test_it_breaks_and_recovers_by_ssh(stack, action):
    """By the engine `make families` drills it."""
    operator, fault = Operator(ssh_target_file(stack.layout)), REHEARSED[action]
    judge = ("pytest", "-m", "post_rollback", "--run-dir")
    active.inject(stack, fault.name)
    try:
        red = operator.types(*judge, str(stack.layout.root / f"{action}-red"), limit_s=LIMIT_S)
        assert red.exit == 1, red.out + red.errors
        back = operator.types("rollback", action, limit_s=LIMIT_S)
        assert back.exit == 0, back.out + back.errors
        green = operator.types(*judge, str(stack.layout.root / f"{action}-green"), limit_s=LIMIT_S)
        assert green.exit == 0, green.out + green.errors
    finally:
        active.heal(stack, fault.name)


def test_what_runs_and_what_is_of_somebody_else_is_not_swept(stack, stranger):
    before = things(stack.layout.root)
    assert drills("sweep").returncode == 0
    assert things(stack.layout.root) == before
    assert stack.health()["system_status"] == "healthy"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_left_of_an_up_that_was_cut_short(tmp_path, stranger, number):
    with begun(tmp_path / "s") as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert things(tmp_path / "s") == []


def test_a_killed_up_is_swept_and_nothing_else(stack, tmp_path, stranger):
    with begun(tmp_path / "s") as process:
        process.kill()
        process.communicate(timeout=60)
    left = things(tmp_path / "s")
    assert left
    swept = drills("sweep")
    assert swept.returncode == 0, swept.stderr
    assert {f"removed {thing}" for thing in left} <= set(swept.stdout.splitlines())
    assert things(tmp_path / "s") == []
    assert stack.health()["system_status"] == "healthy"


def test_a_settled_stack_outlives_its_up_and_goes_with_down(tmp_path):
    folder = tmp_path / "s"
    done = drills("up", "--stack", "containers", "--dir", folder)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        with closing(Stack.running_at(folder)) as settled:
            before = things(folder)
            assert drills("sweep").returncode == 0
            assert things(folder) == before
            assert drills("status", "--dir", folder).stdout.count("RUNNING") == len(PARTS)
            assert settled.health()["system_status"] == "healthy"
    finally:
        down = drills("down", "--dir", folder)
    assert (down.returncode, down.stdout.startswith("down · logs in")) == (0, True), down.stdout + down.stderr
    assert things(folder) == []
    assert "Application startup complete" in (Layout(folder).logs / "voice-v2.log").read_text("utf-8")
    assert drills("status", "--dir", folder).returncode == 1


def begun(folder):
    """An `up` that has begun to make containers."""
    command = [sys.executable, "-m", "drills", "up", "--stack", "containers", "--dir", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    waited = eventually(
        lambda: Seen(len(things(folder)) > 4, f"{things(folder)}", final=process.poll() is not None),
        deadline_s=60,
    )
    assert waited.met, waited.seen
    return process
