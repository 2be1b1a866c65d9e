"""Commands and files on the host of a target, over testinfra's backends (local, ssh, docker)."""

import functools
import shlex
import stat
from collections.abc import Sequence

import msgspec

from target import scripts
from target.connection import Connection, Done, check_url
from target.errors import HostError

__all__ = ["FileFacts", "Host", "Ran", "check_url"]

_FILES_S = 30.0
_NEXT = {
    "No space left on device": "free some space there; what was there is untouched",
    "Disk quota exceeded": "free some space there; what was there is untouched",
    "Permission denied": "connect as a user who may",
    "Operation not permitted": "connect as a user who may",
    "Read-only file system": "remount it writable",
    "No such file or directory": "check the path",
    "Directory nonexistent": "check the path",
}


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
    and coreutils there. No file content and no secret is ever put into a command line. Making one connects to nothing;
    a URL that cannot be used raises TargetError.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = Connection(url)

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0, cwd: str | None = None) -> Ran:
        """Run a command (a list of words, quoted here). A non-zero status is returned, not raised.

        Output that is not UTF-8 is shown with replacement characters. Raises HostError when the host is unreachable,
        `cwd` cannot be entered, or the deadline passes (the command is then killed there).
        """
        if cwd is None:
            return _ran(self._connection.carry_out(argv, timeout_s=timeout_s))
        done = self._connection.carry_out(
            ["sh", "-c", scripts.IN_FOLDER, "sh", cwd, *argv], timeout_s=timeout_s
        )
        if done.status == scripts.NO_FOLDER and done.stderr.startswith(scripts.NO_FOLDER_SAYS):
            raise HostError(
                f"{self._connection.place}: cannot enter the folder {cwd!r}; check the path and the permissions"
            )
        return _ran(done)

    def shell(self, script: str, *args: str, timeout_s: float = 30.0, stdin: bytes = b"") -> Ran:
        """Run a POSIX shell script with positional parameters `$1`… and `stdin`; otherwise as `run`."""
        words = ["sh", "-c", script, "sh", *args]
        return _ran(self._connection.carry_out(words, timeout_s=timeout_s, stdin=stdin))

    def must(self, argv: Sequence[str], *, timeout_s: float = 30.0, cwd: str | None = None) -> str:
        """Run a command that has to succeed; its stdout. Raises HostError: command, host, status and last lines."""
        ran = self.run(argv, timeout_s=timeout_s, cwd=cwd)
        if not ran.ok:
            last = " / ".join((ran.stderr.strip() or ran.stdout.strip()).splitlines()[-3:])
            raise HostError(
                f"{self._connection.place}: {shlex.join(argv)}: status {ran.status}: {last or 'no output'}"
            )
        return ran.stdout

    def facts(self, path: str) -> FileFacts | None:
        """What is at the path (not following a last symlink), or None when nothing is."""
        done = self._script(scripts.FACTS, path)
        if done.status and done.stderr.rstrip().endswith((b"No such file or directory", b"Not a directory")):
            return None
        fields = self._expect(done, "look at", path).stdout.split()
        raw = int(fields[0], 16)
        kinds = {stat.S_IFREG: "regular", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
        return FileFacts(
            path=path,
            kind=kinds.get(stat.S_IFMT(raw), "other"),
            size=int(fields[1]),
            mode=stat.S_IMODE(raw),
            modified=float(fields[2]),
            changed=float(fields[3]),
            inode=int(fields[4]),
            owner=fields[5].decode("utf-8", "replace"),
            group=fields[6].decode("utf-8", "replace"),
        )

    def read(self, path: str, *, limit: int = 8 << 20) -> bytes:
        """The bytes of a regular file. Raises HostError: missing, unreadable, or larger than `limit` bytes."""
        content = self._do(scripts.READ, "read", path, str(limit + 1)).stdout
        if len(content) > limit:
            raise HostError(
                f"{self._connection.place}: {path!r} is larger than the {limit} bytes that are expected there at most"
            )
        return content

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty when it is not there."""
        names = self._do(scripts.LIST, "list", folder).stdout.split(b"\0")[:-1]
        return sorted(name.decode("utf-8", "surrogateescape") for name in names)

    def write_atomically(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write beside, fsync, rename over, fsync the folder. Content travels on standard input, not in argv.

        The owner of a file that was there is kept (HostError where that is not allowed); a symlink there is replaced
        by the file, its destination left alone. On any error what was there is untouched.
        """
        self._do(scripts.WRITE, "write", path, str(len(content)), f"{mode:04o}", stdin=content)

    def append(self, path: str, line: str) -> None:
        """Append one line (no newline inside) and fsync before returning; creates the file with mode 0600.

        A torn last line, from a crash or a full disk, is ended first: the new line always stands alone.
        """
        if "\n" in line or "\0" in line:
            raise HostError(
                f"{self._connection.place}: cannot append to {path!r}: a line holds no newline and no NUL"
            )
        self._do(scripts.APPEND, "append to", path, stdin=line.encode() + b"\n")

    def make_folder(self, path: str, *, mode: int = 0o700) -> None:
        """Make a folder and its parents; no error when it is there."""
        self._do(scripts.MAKE_FOLDER, "make the folder", path, f"{mode:04o}")

    def claim(self, folder: str) -> bool:
        """Make a folder atomically (`mkdir`): True when this call made it, False when it was there already."""
        done = self._script(scripts.CLAIM, folder)
        if done.status == scripts.TAKEN:
            return False
        self._expect(done, "make the folder", folder)
        return True

    def copy_beside(self, source: str, copy: str) -> None:
        """Copy a file on the host with mode, owner and timestamps kept, fsynced; never overwrites (HostError)."""
        self._do(scripts.COPY, f"copy {source!r} to", copy, source)

    def rename(self, source: str, destination: str) -> None:
        """Rename atomically over `destination` (`mv -T`) and fsync the folder."""
        self._do(scripts.RENAME, f"rename {source!r} to", destination, source)

    def remove(self, path: str) -> None:
        """Remove a file or an empty folder; no error when it is not there."""
        self._do(scripts.REMOVE, "remove", path)

    def sha256(self, path: str) -> str:
        """SHA-256 of a file, hex."""
        return self._do(scripts.SHA256, "hash", path).stdout[:64].decode()

    def now(self) -> float:
        """The host's own clock, seconds since the epoch."""
        return float(self.must(["date", "+%s.%N"]))

    def identity(self) -> str:
        """`user@hostname` of where the commands run, for locks and journals."""
        return self._identity

    @functools.cached_property
    def _identity(self) -> str:
        # A user without a name in /etc/passwd is known by number.
        ran = self.shell('user=$(id -un 2>/dev/null) || user=$(id -u); printf "%s@%s" "$user" "$(uname -n)"')
        if not ran.ok:
            raise HostError(
                f"{self._connection.place}: cannot tell who and where this is: {ran.stderr.strip()}"
            )
        return ran.stdout

    def _script(self, script: str, path: str, *args: str, stdin: bytes = b"") -> Done:
        if not path:
            raise HostError(f"{self._connection.place}: a path is empty; check the paths in the target file")
        path = path.rstrip("/") or "/"
        words = ["env", "LC_ALL=C", "sh", "-c", script, "sh", path, *args]
        return self._connection.carry_out(words, timeout_s=_FILES_S, stdin=stdin)

    def _do(self, script: str, doing: str, path: str, *args: str, stdin: bytes = b"") -> Done:
        return self._expect(self._script(script, path, *args, stdin=stdin), doing, path)

    def _expect(self, done: Done, doing: str, path: str) -> Done:
        if done.status == 0:
            return done
        said = done.stderr.decode("utf-8", "replace").strip()
        why = said.splitlines()[-1] if said else f"status {done.status}"
        then = next((f"; {then}" for sign, then in _NEXT.items() if sign in why), "")
        raise HostError(f"{self._connection.place}: cannot {doing} {path!r}: {why}{then}")


def _ran(done: Done) -> Ran:
    return Ran(
        status=done.status,
        stdout=done.stdout.decode("utf-8", "replace"),
        stderr=done.stderr.decode("utf-8", "replace"),
        seconds=done.seconds,
    )
