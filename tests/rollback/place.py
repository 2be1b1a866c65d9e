"""A deployment as small as can be: a tiny service under a real supervisord, its `.env`, and a target file."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rollback.__main__ import main
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
        self.python = sys.executable
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
            content = str(path.readlink()) if path.is_symlink() else ""
            if path.is_file() and not path.is_symlink():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(root))] = (
                facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_ctime_ns, content,
            )  # fmt: skip
        return found

    def journals(self) -> list[list[dict[str, Any]]]:
        """Every journal, oldest first, as its lines."""
        files = sorted((self.state / "journals").glob("*.jsonl"))
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
