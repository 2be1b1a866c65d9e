"""A systemd unit, by a `systemctl` that answers with recorded output of systemd 252; the real one is drilled elsewhere.

Only the process identifier in it is put in: that of a real process of the test's own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from target.description import Api, Compose, ServiceControl, Target
from target.errors import HostError, TargetError
from target.host import Host
from target.service import Service, service_of


def shown(
    active: str, sub: str, *, pid: str = "0", result: str = "success", status: int = 0, load: str = "loaded"
) -> str:
    return (
        f"Result={result}\nNRestarts=2\nExecMainStatus={status}\nMainPID={pid}\n"
        f"LoadState={load}\nActiveState={active}\nSubState={sub}"
    )


RUNNING = shown("active", "running", pid="{pid}")
STOPPED = shown("inactive", "dead")
FAILED = shown("failed", "failed", result="exit-code", status=3)
LOOPING = shown("activating", "auto-restart", result="exit-code", status=1)
STARTING = shown("activating", "start")
UNKNOWN = shown("inactive", "dead", load="not-found")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process to be the unit's main one."""
    process = subprocess.Popen(["sleep", "60"], env={"VOICE_TEST": "привет", "EMPTY": ""})
    yield process.pid
    process.kill()
    process.wait(10)


def says(programs: Path, name: str, output: str, *, error: str = "", status: int = 0) -> None:
    (programs / f"{name}.out").write_text(output + "\n")
    (programs / f"{name}.err").write_text(error)
    path = programs / name
    path.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {programs}/{name}.asked\ncat {programs}/{name}.out\n'
        f"cat {programs}/{name}.err >&2\nexit {status}\n"
    )
    path.chmod(0o755)


@pytest.fixture
def voice() -> Service:
    service = service_of(controlled(ServiceControl(systemd="voice-v2-service")), Host("local://"))
    assert service is not None
    return service


def controlled(control: ServiceControl | None) -> Target:
    return Target(name="t", api=Api(url="http://127.0.0.1"), service=control, source="target.yaml")


def test_running(voice: Service, programs: Path, sleeper: int) -> None:
    says(programs, "systemctl", RUNNING.format(pid=sleeper))
    status = voice.status()
    assert (status.state, status.pid, status.restarts, status.detail) == (
        "running",
        sleeper,
        2,
        "active (running)",
    )
    assert status.started_at is not None
    assert time.time() - 10 < status.started_at <= time.time() + 0.02
    assert voice.process_environment() == {"VOICE_TEST": "привет", "EMPTY": ""}
    assert voice.image_digest() is None


@pytest.mark.parametrize(
    ("recorded", "state", "detail"),
    [
        (STOPPED, "stopped", "inactive (dead)"),
        (FAILED, "failed", "failed (failed), exit-code, exit status 3"),
        (LOOPING, "failed", "activating (auto-restart), exit-code, exit status 1"),
        (STARTING, "starting", "activating (start)"),
        (RUNNING.format(pid=0), "stopped", "active (running)"),
    ],
)
def test_other_states(voice: Service, programs: Path, recorded: str, state: str, detail: str) -> None:
    says(programs, "systemctl", recorded)
    status = voice.status()
    assert (status.state, status.pid, status.started_at, status.detail) == (state, None, None, detail)
    assert voice.process_environment() is None


def test_an_unknown_unit_is_named(voice: Service, programs: Path) -> None:
    says(programs, "systemctl", UNKNOWN)
    with pytest.raises(HostError, match="systemd knows no unit 'voice-v2-service'"):
        voice.status()


def test_no_systemd(voice: Service, programs: Path) -> None:
    says(programs, "systemctl", "", error="Failed to connect to bus: Host is down\n", status=1)
    with pytest.raises(HostError, match="Failed to connect to bus: Host is down; is this the host"):
        voice.status()


def test_changes_and_logs(voice: Service, programs: Path) -> None:
    says(programs, "systemctl", "")
    says(programs, "journalctl", "one\ntwo")
    for verb in ("start", "stop", "restart"):
        getattr(voice, verb)()
    assert (programs / "systemctl.asked").read_text().splitlines() == [
        f"--no-ask-password {verb} voice-v2-service" for verb in ("start", "stop", "restart")
    ]
    assert voice.commands("restart") == "systemctl --no-ask-password restart voice-v2-service"
    assert voice.logs(7) == "one\ntwo\n"
    assert (programs / "journalctl.asked").read_text() == "-u voice-v2-service -n 7 -o cat --no-pager\n"


def test_a_refused_change_is_told(voice: Service, programs: Path) -> None:
    said = "Failed to restart voice-v2-service.service: Interactive authentication required.\n"
    says(programs, "systemctl", "", error=said, status=1)
    with pytest.raises(
        HostError, match=r"restart voice-v2-service: status 1: .*Interactive authentication required"
    ):
        voice.restart()


def test_an_environment_that_may_not_be_read_is_an_error(voice: Service, programs: Path) -> None:
    """A file that cannot be read stands for it: to root, every environment is open."""
    says(programs, "systemctl", RUNNING.format(pid=os.getpid()))
    (programs / "head").write_text(
        "#!/bin/sh\necho \"head: cannot open '$4' for reading: Permission denied\" >&2; exit 1\n"
    )
    (programs / "head").chmod(0o755)
    with pytest.raises(HostError, match=r"/proc/\d+/environ.*Permission denied; connect as a user who may"):
        voice.process_environment()


def test_which_controller() -> None:
    host = Host("local://")
    assert service_of(controlled(None), host) is None
    both = ServiceControl(systemd="a", compose=Compose(file="f", service="s"))
    for control in (both, ServiceControl()):
        with pytest.raises(TargetError, match=r"target\.yaml: service: name exactly one of"):
            service_of(controlled(control), host)


def test_controllers_load_only_when_asked_for() -> None:
    script = "import sys, target.service; sys.exit(any(f'target.{m}' in sys.modules for m in ('compose', 'systemd')))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=20).returncode == 0
