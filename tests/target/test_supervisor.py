"""A program under a real supervisord in a temporary folder."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from target.description import Api, ServiceControl, Supervisor, Target
from target.errors import HostError
from target.host import Host
from target.service import Service, service_of
from target.wait import Seen, eventually

pytestmark = pytest.mark.drill

BIN = Path(sys.executable).parent

# It reads its marching orders from a file, so that one supervisord serves every test.
PROGRAM = """
import http.server, pathlib, sys
print("готов к работе", flush=True)
print("warning: something", file=sys.stderr, flush=True)
if pathlib.Path("broken").exists():
    sys.exit("it broke: no configuration")
http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

CONFIG = """
[unix_http_server]
file={folder}/s.sock
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s.sock
[program:voice]
command={python} {folder}/program.py
directory={folder}
environment=VOICE_TEST="привет, мир",EMPTY=""
startsecs=0
autorestart=false
autostart=false
[program:fragile]
command={python} {folder}/program.py
directory={folder}
startsecs=1
startretries=0
autostart=false
"""


def wait_for(service: Service, state: str, deadline_s: float = 10) -> None:
    def look() -> Seen:
        status = service.status()
        return Seen(status.state == state, f"{status}")

    waited = eventually(look, deadline_s=deadline_s)
    assert waited.met, waited


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("supervisor")
    (folder / "program.py").write_text(PROGRAM)
    config = folder / "it's a supervisord.conf"
    config.write_text(CONFIG.format(folder=folder, python=sys.executable))
    output = (folder / "output").open("wb")
    daemon = subprocess.Popen(
        [str(BIN / "supervisord"), "-n", "-s", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        waited = eventually(lambda: Seen((folder / "s.sock").exists(), "socket"), deadline_s=20)
        assert waited.met, (folder / "output").read_text()
        yield folder
    finally:
        daemon.terminate()
        daemon.wait(20)
        output.close()


@pytest.fixture
def voice(folder: Path) -> Iterator[Service]:
    service = controlled(folder, "voice")
    (folder / "broken").unlink(missing_ok=True)
    yield service
    service.stop()


def controlled(folder: Path, program: str, config: str = "it's a supervisord.conf") -> Service:
    control = Supervisor(
        config=str(folder / config), program=program, supervisorctl=shlex.quote(str(BIN / "supervisorctl"))
    )
    target = Target(name="t", api=Api(url="http://127.0.0.1"), service=ServiceControl(supervisor=control))
    service = service_of(target, Host("local://"))
    assert service is not None
    return service


def test_start_status_environment_logs_stop(voice: Service) -> None:
    assert voice.status().state == "stopped"
    assert voice.process_environment() is None
    before = time.time()
    voice.start()
    wait_for(voice, "running")
    status = voice.status()
    assert status.pid is not None
    assert Path(f"/proc/{status.pid}/cmdline").read_bytes().split(b"\0")[1].endswith(b"program.py")
    assert status.started_at is not None
    assert before - 0.02 <= status.started_at <= time.time()
    environment = voice.process_environment()
    assert environment is not None
    assert (environment["VOICE_TEST"], environment["EMPTY"]) == ("привет, мир", "")
    logs = voice.logs(20)
    assert "готов к работе" in logs
    assert logs.endswith("warning: something")
    assert (voice.image_digest(), status.restarts) == (None, None)
    voice.stop()
    assert voice.status().state == "stopped"
    assert voice.status().pid is None


def test_the_start_time_is_precise_and_after_a_restart_later_than_what_was_before_it(voice: Service) -> None:
    voice.start()
    first = voice.status()
    switched_at = time.time()
    voice.restart()
    after = time.time()
    second = voice.status()
    assert first.started_at is not None
    assert second.started_at is not None
    assert first.pid != second.pid
    assert first.started_at < switched_at
    assert switched_at - 0.02 <= second.started_at <= after
    readings = [status.started_at for _ in range(5) if (status := voice.status()).started_at]
    assert max(readings) - min(readings) <= 0.03


def test_a_program_that_cannot_start_has_failed(folder: Path) -> None:
    fragile = controlled(folder, "fragile")
    (folder / "broken").touch()
    with pytest.raises(
        HostError, match=r"restart fragile: .*ERROR \(spawn error\); look at: .* tail fragile"
    ):
        fragile.restart()
    wait_for(fragile, "failed")  # for a moment it is still one that may be tried again
    status = fragile.status()
    assert (status.state, status.pid, status.started_at) == ("failed", None, None)
    assert status.detail.startswith("FATAL")
    assert "it broke: no configuration" in fragile.logs(5)


def test_a_program_that_ended_by_itself_has_failed(voice: Service, folder: Path) -> None:
    voice.start()
    pid = voice.status().pid
    assert pid is not None
    (folder / "broken").touch()
    os.kill(pid, signal.SIGKILL)
    wait_for(voice, "failed")
    assert voice.process_environment() is None


def test_starting_what_runs_and_stopping_what_does_not_is_no_error(voice: Service) -> None:
    voice.start()
    voice.start()
    voice.stop()
    voice.stop()
    voice.restart()
    wait_for(voice, "running")


def test_logs_cut_inside_a_letter_are_still_read(voice: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    voice.start()
    for size in (4, 5):
        monkeypatch.setattr("target.supervisor._BYTES_A_LINE", size)
        assert voice.logs(1).endswith("ng" if size == 4 else "ing")


def test_the_command_line_is_shown_as_it_would_run(voice: Service, folder: Path) -> None:
    assert shlex.split(voice.commands("restart")) == [
        str(BIN / "supervisorctl"),
        "-c",
        str(folder / "it's a supervisord.conf"),
        "restart",
        "voice",
    ]


def test_an_unknown_program_a_missing_config_and_no_supervisord(folder: Path, tmp_path: Path) -> None:
    unknown = controlled(folder, "voicee")
    for ask in (unknown.status, unknown.restart):
        with pytest.raises(HostError, match=r"voicee: ERROR \(no such (process|group)\)"):
            ask()
    with pytest.raises(HostError, match="could not find config file"):
        controlled(folder, "voice", "missing.conf").status()
    (tmp_path / "dead.conf").write_text(CONFIG.format(folder=tmp_path, python=sys.executable))
    with pytest.raises(HostError, match=r"no such file; is supervisord running there"):
        controlled(tmp_path, "voice", "dead.conf").status()
