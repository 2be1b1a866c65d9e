"""The embedded stack: what runs, two of them side by side, and that nothing of one outlives its end."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import psutil
import pytest

from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout
from drills.stacks.processes.bring_up import brought_up
from drills.stacks.processes.layout import read_stack_file
from drills.stacks.processes.stack import keeper_pid, wait_for_end
from drills.stacks.processes.take_down import leftovers, take_down
from drills.stacks.stack import PARTS, Stack
from target.wait import Seen, eventually

pytestmark = pytest.mark.drill

# Brings a stack up, tells so on its output, and stays until it is ended.
HOLD = """
import sys, threading
from pathlib import Path
from drills.stacks.processes.bring_up import brought_up
with brought_up(Path(sys.argv[1]), latency_s=None, say=lambda line: None) as (stack, lease):
    if "settle" in sys.argv:
        lease.settle()
    print("up", flush=True)
    threading.Event().wait()
"""


def hold(root, *more):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), *more], stdout=subprocess.PIPE, text=True, env=os.environ
    )


def assert_gone(root):
    """No process, no listening port and no socket of the stack is there, within a few seconds."""
    layout = Layout(root)
    waited = eventually(
        lambda: Seen(not leftovers(layout) and keeper_pid(layout) is None, str(leftovers(layout))),
        deadline_s=30,
    )
    assert waited.met, waited.seen
    remembered = read_stack_file(layout).ports
    taken = {getattr(remembered, name) for name in remembered.__struct_fields__}
    listening = {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert not taken & listening
    sockets = [
        path
        for path in Path("/tmp").glob("seaweedfs-*.sock")
        if any(f"-{port}." in path.name for port in taken)
    ]
    assert sockets == []


def test_all_parts_run_and_listen_on_the_loopback_alone(stack):
    stack.supervisor.wait_settled()
    parts = stack.parts()
    assert [part.program.state for part in parts] == ["RUNNING"] * len(PARTS)
    pids = {process.pid for process in leftovers(stack.layout)}
    listening = [
        c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in pids
    ]
    assert len(listening) >= 10
    assert {address.ip for address in listening} == {LOOPBACK}


def test_the_service_is_healthy_and_of_the_good_release(stack):
    said = stack.ask("GET", "/health").json()
    assert (said["system_status"], said["version"]) == ("healthy", "2.3.1")


def test_it_speaks_through_the_front(stack):
    answer = stack.ask("POST", "/v1/audio/speech", json={"input": "Короткий тест", "language": "ru"})
    assert answer.status_code == 200
    assert answer.headers["x-voice-provider"] == "openai"
    assert answer.content[:4] == b"RIFF"


def test_its_past_is_rows_and_their_audio(stack):
    with stack.database() as connection:
        days = connection.execute(
            "SELECT (created_at AT TIME ZONE 'UTC')::date, count(*) FROM voice_usage_logs"
            " WHERE created_at < date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' GROUP BY 1"
        ).fetchall()
        keys = {
            row[0] for row in connection.execute("SELECT audio_key FROM voice_usage_logs WHERE status = 'ok'")
        }
    assert [count for _, count in days] == [30] * 5
    stored = {item.object_name for item in stack.store().list_objects("voice-files", recursive=True)}
    assert keys == stored


def test_it_has_three_releases_and_runs_the_second(stack):
    def git(*words):
        command = ["git", "-c", "safe.directory=*", "-C", str(stack.layout.service), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split()

    assert git("tag", "--list") == ["v2.3.0", "v2.3.1", "v2.4.0"]
    assert git("describe", "--tags") == ["v2.3.1"]
    assert git("status", "--porcelain") == []
    assert git("rev-parse", "origin/main") == git("rev-parse", "v2.4.0^{commit}")


def test_its_target_file_loads(stack):
    from target.load import load

    target = load(stack.layout.target_file, environ={})
    assert target.api.url == stack.url
    assert stack.secrets.api_token not in stack.layout.target_file.read_text()
    assert stack.layout.target_secrets.stat().st_mode & 0o777 == 0o600


def test_up_where_it_runs_changes_nothing(stack):
    pids = [part.program.pid for part in stack.parts()]
    with brought_up(stack.layout.root, latency_s=None, say=print) as (again, lease):
        assert lease is None
        assert [part.program.pid for part in again.parts()] == pids


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with (
        pytest.raises(StackError, match="not empty and not a stack's"),
        brought_up(tmp_path, latency_s=None, say=print),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_second_one_runs_beside_it_and_ends_with_sigterm(stack, tmp_path):
    root = tmp_path / "second"
    command = [sys.executable, "-m", "drills", "up", "--foreground", "--dir", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        lines = list(takewhile(lambda line: line != "Ctrl-C takes it down\n", other.stdout))
        assert any(line.startswith("up.") for line in lines)
        with closing(Stack.running_at(root)) as second:
            assert second.health()["system_status"] == "healthy"
        assert stack.health()["system_status"] == "healthy"
        other.send_signal(signal.SIGTERM)
        assert other.wait(60) == 0
    assert_gone(root)
    assert stack.health()["system_status"] == "healthy"


def test_the_end_of_a_stack_is_noticed_and_its_log_stays(tmp_path):
    with hold(tmp_path / "s", "settle") as process:
        assert process.stdout.readline() == "up\n"
        take_down(Layout(tmp_path / "s"))
        wait_for_end(Layout(tmp_path / "s"))
        process.kill()
    assert_gone(tmp_path / "s")
    assert "Application startup complete" in (tmp_path / "s" / "log" / "voice-v2.log").read_text()


def test_nothing_outlives_a_killed_up(tmp_path):
    with hold(tmp_path / "s") as process:
        assert process.stdout.readline() == "up\n"
        process.kill()
    assert_gone(tmp_path / "s")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name
)
def test_nothing_is_left_of_an_up_that_was_cut_short(tmp_path, number):
    command = [sys.executable, "-m", "drills", "up", "--dir", str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert "Traceback" not in errors
    assert_gone(tmp_path / "s")


@pytest.mark.parametrize("victim", ["supervisord", "keeper"])
def test_nothing_outlives_a_killed_supervisor(tmp_path, victim):
    layout = Layout(tmp_path / "s")
    with hold(layout.root, "settle") as process:
        assert process.stdout.readline() == "up\n"
        process.kill()
    assert keeper_pid(layout) is not None
    pid = int((layout.run / "supervisord.pid").read_text()) if victim == "supervisord" else keeper_pid(layout)
    os.kill(pid, signal.SIGKILL)
    waited = eventually(lambda: Seen(not leftovers(layout), str(leftovers(layout))), deadline_s=40)
    assert waited.met, waited.seen
    take_down(layout)
    assert_gone(layout.root)


def test_a_part_that_cannot_start_is_said_with_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "drills.stacks.processes.postgres._settings",
        lambda ports: {"port": str(ports.postgres), "shared_buffers": "1"},
    )
    with pytest.raises(StackError, match="postgres"), brought_up(tmp_path / "s", latency_s=None, say=print):
        pass
    assert_gone(tmp_path / "s")
