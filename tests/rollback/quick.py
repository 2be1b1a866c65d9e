"""The local host and the tiny service without a process for each question, for tests that need many runs."""

import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

from target.errors import HostError
from target.host import FileFacts, Host
from target.service import ServiceStatus
from tests.rollback.place import Place


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
        words = [str(self._place.folder), self._place.python, service, str(self._place.port)]
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
