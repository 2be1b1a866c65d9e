"""Commands and files on the host of a target, over testinfra's backends (local, ssh, docker)."""

from collections.abc import Sequence

import msgspec


class Ran(msgspec.Struct, frozen=True):
    """A command that ran: exit status, output, and its wall time in seconds."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0


class FileFacts(msgspec.Struct, frozen=True):
    """What a file on the host is. `changed` and `modified` are ctime and mtime in seconds since the epoch."""

    path: str
    kind: str  # regular, directory, symlink, other
    size: int
    mode: int
    owner: str
    group: str
    modified: float
    changed: float
    inode: int


class Host:
    """One host, named by a testinfra URL. Every call is bounded; what cannot be done raises `HostError`.

    The same code runs on `local://`, `ssh://user@host:port` and `docker://container`; it needs only a POSIX shell
    and coreutils there. No file content and no secret is ever put into a command line.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0, cwd: str | None = None) -> Ran:
        """Run a command (a list of words, quoted here). A non-zero status is returned, not raised.

        Raises HostError when the host is unreachable or the deadline passes (the command is then killed there).
        """
        raise NotImplementedError

    def shell(self, script: str, *args: str, timeout_s: float = 30.0) -> Ran:
        """Run a POSIX shell script with positional parameters `$1`…; otherwise as `run`."""
        raise NotImplementedError

    def must(self, argv: Sequence[str], *, timeout_s: float = 30.0, cwd: str | None = None) -> str:
        """Run a command that has to succeed; its stdout. Raises HostError naming command, host, status and last lines."""
        raise NotImplementedError

    def facts(self, path: str) -> FileFacts | None:
        """What is at the path (not following a last symlink), or None when nothing is."""
        raise NotImplementedError

    def read(self, path: str, *, limit: int = 8 << 20) -> bytes:
        """The bytes of a regular file. Raises HostError: missing, unreadable, or larger than `limit` bytes."""
        raise NotImplementedError

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty when it is not there."""
        raise NotImplementedError

    def write_atomically(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write beside, fsync, rename over, fsync the folder. Content travels on stdin-like channels, not in argv."""
        raise NotImplementedError

    def append(self, path: str, line: str) -> None:
        """Append one line (no newline inside) and fsync before returning; creates the file with mode 0600."""
        raise NotImplementedError

    def make_folder(self, path: str, *, mode: int = 0o700) -> None:
        """Make a folder and its parents; no error when it is there."""
        raise NotImplementedError

    def claim(self, folder: str) -> bool:
        """Make a folder atomically (`mkdir`): True when this call made it, False when it was there already."""
        raise NotImplementedError

    def copy_beside(self, source: str, copy: str) -> None:
        """Copy a file on the host with mode, owner and timestamps kept, fsynced; never overwrites (HostError)."""
        raise NotImplementedError

    def rename(self, source: str, destination: str) -> None:
        """Rename atomically over `destination` (`mv -T`) and fsync the folder."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Remove a file or an empty folder; no error when it is not there."""
        raise NotImplementedError

    def sha256(self, path: str) -> str:
        """SHA-256 of a file, hex."""
        raise NotImplementedError

    def now(self) -> float:
        """The host's own clock, seconds since the epoch."""
        raise NotImplementedError

    def identity(self) -> str:
        """`user@hostname` of where the commands run, for locks and journals."""
        raise NotImplementedError
