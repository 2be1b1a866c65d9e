"""A real sshd of one's own on 127.0.0.1, as the host of a target: to measure and to test the way over ssh."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import msgspec

from target.wait import Seen, eventually

_STARTS_S = 10.0


class NoSshd(Exception):
    """There is no sshd on this machine, or it does not start."""


class Sshd(msgspec.Struct):
    """A running sshd, and the URL by which a target names it; keys, configuration and log are in its folder."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    @property
    def url(self) -> str:
        options = f"ssh_config={self.folder}/ssh_config&ssh_identity_file={self.folder}/user"
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}?{options}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def stop(self) -> None:
        """End it at once, with every connection that it has; what runs on behalf of one goes on by itself."""
        for pid in [self.process.pid, *_connections(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(_STARTS_S)


def start(folder: Path, port: int = 0) -> Sshd:
    """Start it; a folder that had one before is used again, so that its keys are known. Raises NoSshd."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NoSshd("sshd is not installed here: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = port or free_port()
    if not (folder / "host").exists():
        _configure(folder, port)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    started = Sshd(process, folder, port)
    listening = eventually(lambda: Seen(_answers(port), f"port {port}"), deadline_s=_STARTS_S)
    if not listening.met:
        started.stop()
        raise NoSshd(f"sshd does not start: {started.log.read_text()[-500:]}")
    return started


def _connections(pid: int) -> list[int]:
    """The processes of sshd that serve a connection: below the server, and not what they run for somebody."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().startswith("sshd"):
                found += [int(child), *_connections(int(child))]
    return found


def _configure(folder: Path, port: int) -> None:
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True, timeout=20
        )
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        # A shell that thinks it is not the first reads no startup file: what a person has there is not measured.
        "SetEnv SHLVL=2\n"
    )
    host_key = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "ssh_config").write_text(
        f"Host *\n  UserKnownHostsFile {folder}/known_hosts\n  IdentitiesOnly yes\n"
    )


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0
