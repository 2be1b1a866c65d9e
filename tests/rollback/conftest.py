"""A deployment as small as can be: a tiny service under a real supervisord, its `.env`, and a target file."""

import contextlib
import grp
import hashlib
import io
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rollback.__main__ import main
from rollback.journal import AnyLine, Journal
from target.errors import HostError
from target.host import FileFacts, Host
from target.service import ServiceStatus
from target.wait import Seen, eventually

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
BAD = "NAME=bad\nMODE=sick\nDB_PASSWORD=swordfish-two\nVERSION=2.3.1\n"
CONFIG = """\
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
nodaemon=true
[unix_http_server]
file={folder}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s.sock
[program:voice]
command={python} -S -E {service} {port}
directory={folder}
startsecs=0
startretries=1
stopwaitsecs=5
autorestart=false
stderr_logfile={folder}/voice.log
stdout_logfile={folder}/voice.out
"""


class Place:
    """The deployment's folder, and what a person would do there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = folder / ".env"
        self.previous = folder / ".env.previous"
        self.state = folder / "state"
        self.target = folder / "target.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        config = CONFIG.format(
            folder=folder,
            python=sys.executable,
            service=Path(__file__).with_name("tiny_service.py"),
            port=self.port,
        )
        (folder / "supervisord.conf").write_text(config)

    def reset(self, env: str = BAD, previous: str = GOOD, **target: Any) -> None:
        """Back to a running service with `env`, `previous` beside it, nothing recorded, and a fresh target file."""
        for path in self.folder.iterdir():
            if path.name.startswith(".env") and path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif path.name.startswith(".env"):
                path.unlink()
        shutil.rmtree(self.state, ignore_errors=True)
        self.env.write_text(env)
        self.env.chmod(0o640)
        self.previous.write_text(previous)
        self.previous.chmod(0o600)
        os.utime(self.previous, (1763630000, 1763630000))
        self.write_target(**target)
        self.restart()

    def write_target(self, **more: Any) -> None:
        data = {
            "name": "tiny",
            "api": {"url": f"http://127.0.0.1:{self.port}", "timeout_s": 2},
            "state_dir": str(self.state),
            "service": {
                "supervisor": {
                    "config": str(self.folder / "supervisord.conf"),
                    "program": "voice",
                    "supervisorctl": f"{sys.executable} -I -S {Path(__file__).with_name('quick_supervisorctl.py')}",
                },
                "ready_s": 1.5,
            },
            "environment": {
                "file": str(self.env),
                "previous": str(self.previous),
                "reader": "python-dotenv",
                "required": ["DB_PASSWORD"],
            },
        }
        for key, value in more.items():
            data[key] = {**data[key], **value} if isinstance(data.get(key), dict) else value  # type: ignore[dict-item]
        self.target.write_text(json.dumps(data))

    def restart_service(self) -> None:
        self.ctl("restart", "voice")

    def ctl(self, *words: str) -> None:
        command = [
            sys.executable,
            "-m",
            "supervisor.supervisorctl",
            "-c",
            str(self.folder / "supervisord.conf"),
        ]
        subprocess.run([*command, *words], capture_output=True, check=False, timeout=20)

    def restart(self) -> None:
        """Restart the service by other means than the code under test, and wait until the new process answers."""
        # The start of a process is known to hundredths of a second.
        self.wait_for(lambda: not self.env.exists() or time.time() > self.env.stat().st_ctime + 0.03)
        self.restart_service()
        if "MODE=ok" in self.env.read_text() or "MODE=sick" in self.env.read_text():
            self.wait_for(lambda: self.serves() is not None)

    def wait_for(self, holds: Callable[[], bool]) -> None:
        waited = eventually(lambda: Seen(met=holds(), seen=""), deadline_s=10, interval_s=0.02)
        assert waited.met, (self.folder / "voice.log").read_text()

    def serves(self) -> str | None:
        """`NAME` of the environment that the running process has read; None when nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return str(json.load(answer)["env"])
        except OSError:
            return None

    def run(self, *arguments: str) -> tuple[int, str]:
        """The command line, in this process; exit code and what it printed."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main(["--target", str(self.target), *arguments])
        return code, out.getvalue()

    def run_and_kill(self, die: Callable[[], None], *arguments: str) -> int:
        """The command line in a process of its own, in which `die` was called first; its wait status."""
        pid = os.fork()
        if pid == 0:
            try:
                devnull = os.open(os.devnull, os.O_RDWR)
                os.dup2(devnull, 1)
                os.dup2(devnull, 2)
                die()
                os._exit(main(["--target", str(self.target), *arguments]))
            finally:
                os._exit(99)
        return os.waitpid(pid, 0)[1]

    def inventory(self, folder: Path | None = None) -> dict[str, tuple[Any, ...]]:
        """Every path: kind, mode, owner, mtime, ctime, content's hash. What the service itself writes is left out."""
        found = {}
        root = folder or self.folder
        for path in sorted(root.rglob("*")):
            if path.name.startswith(("supervisord.", "voice.", "s.sock")):
                continue
            facts = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(root))] = (
                facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_ctime_ns, content,
            )  # fmt: skip
        return found

    def journals(self) -> list[list[dict[str, Any]]]:
        """Every journal, oldest first, as its lines."""
        files = sorted((self.state / "journals").glob("*.jsonl"))
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


@pytest.fixture(scope="session")
def _deployment() -> Iterator[Place]:
    # Not pytest's own folder: the path of a UNIX socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="rb-"))
    place = Place(folder)
    place.env.write_text(GOOD)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        place.wait_for((folder / "s.sock").exists)
        yield place
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


@pytest.fixture
def place(_deployment: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A broken environment in place (`BAD`), a good one beside it (`GOOD`), the service running with the broken one."""
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    _deployment.reset()
    return _deployment


class QuickHost(Host):
    """The local host without a process for each file operation; commands are carried out as ever.

    For the tests that need some forty runs; what a real `Host` does at the same points is tested beside them.
    """

    def facts(self, path: str) -> FileFacts | None:
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        kinds = {stat.S_IFREG: "regular", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
        return FileFacts(
            path=path,
            kind=kinds.get(stat.S_IFMT(found.st_mode), "other"),
            size=found.st_size,
            mode=stat.S_IMODE(found.st_mode),
            owner=pwd.getpwuid(found.st_uid).pw_name,
            group=grp.getgrgid(found.st_gid).gr_name,
            modified=found.st_mtime,
            changed=found.st_ctime,
            inode=found.st_ino,
        )

    def read(self, path: str, *, limit: int = 8 << 20) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise HostError(str(error)) from error

    def list(self, folder: str) -> list[str]:
        return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).is_dir() else []

    def write_atomically(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        beside = Path(f"{path}.beside")
        beside.write_bytes(content)
        beside.chmod(mode)
        beside.rename(path)

    def append(self, path: str, line: str) -> None:
        with Path(path).open("a") as file:
            file.write(line + "\n")

    def make_folder(self, path: str, *, mode: int = 0o700) -> None:
        Path(path).mkdir(mode, parents=True, exist_ok=True)

    def claim(self, folder: str) -> bool:
        try:
            Path(folder).mkdir(0o700)
        except FileExistsError:
            return False
        return True

    def copy_beside(self, source: str, copy: str) -> None:
        if os.path.lexists(copy):
            raise HostError(f"{copy}: File exists")
        shutil.copy2(source, f"{copy}.beside")
        Path(f"{copy}.beside").rename(copy)

    def rename(self, source: str, destination: str) -> None:
        Path(source).rename(destination)

    def remove(self, path: str) -> None:
        if os.path.lexists(path):
            Path(path).unlink()

    def now(self) -> float:
        return time.time()

    def identity(self) -> str:
        return "root@here"


class QuickService:
    """A controller that starts the tiny service itself, detached; its pid is in a file, as a daemon's is."""

    name = "voice"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pid = place.folder / "voice.pid"

    def status(self) -> ServiceStatus:
        if not self._pid.exists():
            return ServiceStatus("stopped", None, None, None, "never started")
        pid = int(self._pid.read_text())
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ServiceStatus("failed", None, None, None, "exited")
        if fields[0] == "Z":
            return ServiceStatus("failed", None, None, None, "exited")
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
        started = time.time() - (up - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
        return ServiceStatus("running", pid, started, None, "")

    def stop(self) -> None:
        pid = self.status().pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self._place.wait_for(lambda: self.status().pid is None)

    def start(self) -> None:
        # By way of a shell that ends at once: the service is nobody's child here, and outlives who started it.
        script = 'cd "$1" && { "$2" -I -S "$3" "$4" >voice.out 2>>voice.log <&1 & echo $! >voice.pid; }'
        service = str(Path(__file__).with_name("tiny_service.py"))
        words = [str(self._place.folder), sys.executable, service, str(self._place.port)]
        subprocess.run(["sh", "-c", script, "sh", *words], check=True, start_new_session=True, timeout=10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def commands(self, verb: str) -> str:
        return f"quickctl {verb} voice"

    def process_environment(self) -> dict[str, str] | None:
        return None

    def logs(self, lines: int = 50) -> str:
        return (self._place.folder / "voice.log").read_text()

    def image_digest(self) -> str | None:
        return None


@pytest.fixture
def quick(_deployment: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """As `place`, for many runs in little time: see `QuickHost` and `QuickService`."""
    _deployment.ctl("stop", "voice")
    service = QuickService(_deployment)
    monkeypatch.setattr("rollback.site.Host", QuickHost)
    monkeypatch.setattr("rollback.site.service_of", lambda *_: service)
    monkeypatch.setattr(_deployment, "restart_service", service.restart)
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    _deployment.reset()
    yield _deployment
    service.stop()


@pytest.fixture
def kill_after_line() -> Callable[[int], Callable[[], None]]:
    """Makes what a child process calls to be killed right after its n-th journal line (0: instead of the first)."""

    def after(line_number: int) -> Callable[[], None]:
        def patch() -> None:
            append = Journal.append
            count = 0

            def append_then_die(self: Journal, line: AnyLine) -> None:
                nonlocal count
                if line_number > 0:
                    append(self, line)
                count += 1
                if count >= line_number:
                    os.kill(os.getpid(), 9)

            Journal.append = append_then_die  # type: ignore[method-assign]

        return patch

    return after
