"""The way to a host: testinfra's backends build the command line, one subprocess call carries it out.

testinfra's own `run` has no deadline and no standard input, so a dead ssh connection would hang for ever and file
content would have to travel in the command line. Its backends funnel every command through `run_local`; replacing that
one method gives the exact command line of each backend (sudo, user, port, identity file included).
"""

import atexit
import contextlib
import functools
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from target.errors import HostError, PastDeadline, TargetError

_KILL_AFTER_S = 2.0
_GRACE_S = 5.0
_CONNECT_S = 10
_LONGEST_LINE = 100_000  # Linux takes 128 KiB in one argument, which is what ssh and `sh -c` get
_SSH_ARGS = (
    f"-o BatchMode=yes -o ConnectTimeout={_CONNECT_S} -o ServerAliveInterval=5 -o ServerAliveCountMax=2"
)
_OPTIONS = {"local": {"sudo", "sudo_user"}, "docker": {"sudo", "sudo_user"}}
_OPTIONS["ssh"] = _OPTIONS["local"] | {"ssh_config", "ssh_identity_file"}
_FORMS = "write local://, ssh://user@host[:port] or docker://container"
_HOST = re.compile(r"(?:[^@:/\[\]]+@)?(?P<name>\[[0-9A-Fa-f:.]+\]|[^@:/\[\]]+)(?::(?P<port>\d{1,5}))?")
_CONTAINER = re.compile(r"(?:[^@:/]+@)?[A-Za-z0-9][A-Za-z0-9_.-]*")
_DOCKER_SAYS = re.compile(
    rb"^(Error: No such container|Error response from daemon|Cannot connect to the Docker daemon"
    rb"|OCI runtime exec failed|error during connect|permission denied while trying to connect"
    rb"|Got permission denied while trying)",
    re.MULTILINE,
)
_NEXT = {
    "local": "check that coreutils are installed",
    "ssh": "try the same by hand: ssh -o BatchMode=yes {place}",
    "docker": "look at: docker ps --all",
}


class Done(msgspec.Struct, frozen=True):
    """A finished command: exit status, output as bytes, wall time in seconds."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float


def check_url(url: str) -> None:
    """Whether a host's URL can be used, without connecting. Raises TargetError saying what to write instead."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise TargetError(f"host {_shown(url)}: not a URL ({error}); {_FORMS}") from None
    if "://" not in url or parts.scheme not in _OPTIONS:
        raise TargetError(f"host {_shown(url)}: unknown kind of host; {_FORMS}")
    for option in parse_qs(parts.query, keep_blank_values=True):
        if option not in _OPTIONS[parts.scheme]:
            known = ", ".join(sorted(_OPTIONS[parts.scheme]))
            raise TargetError(f"host {_shown(url)}: unknown option {option!r}; known are {known}")
    if parts.path.strip("/") or parts.fragment or (parts.scheme == "local" and parts.netloc):
        raise TargetError(f"host {_shown(url)}: nothing may follow the host's name; {_FORMS}")
    if parts.scheme == "ssh":
        _check_ssh(url, parts.netloc)
    if parts.scheme == "docker" and not _CONTAINER.fullmatch(parts.netloc):
        raise TargetError(
            f"host {_shown(url)}: not a container's name; write docker://container or docker://user@container"
        )


def _check_ssh(url: str, netloc: str) -> None:
    user, at, _ = netloc.rpartition("@")
    if at and ":" in user:
        raise TargetError(
            f"host {_shown(url)}: a password has no place in the URL; use a key (ssh_identity_file=…)"
        )
    match = _HOST.fullmatch(netloc)
    if (
        match is None
        or unquote(match["name"]).startswith("-")
        or int(match["port"] or 22) not in range(1, 65536)
    ):
        raise TargetError(
            f"host {_shown(url)}: not an ssh address; write ssh://user@host or ssh://user@host:port"
        )


def _shown(url: str) -> str:
    """The URL without a password that someone wrote into it."""
    return repr(re.sub(r"(://[^/:@]*):[^@/]*@", r"\1:••••@", url))


@functools.cache
def _control_folder() -> str:
    """A private folder for the sockets of shared ssh connections, removed (and they closed) when the process ends."""
    folder = tempfile.mkdtemp(prefix="v2r-")
    atexit.register(_close_shared, folder)
    return folder


def _close_shared(folder: str) -> None:
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["ssh", "-o", f"ControlPath={entry.path}", "-O", "exit", "host"],
                capture_output=True,
                check=False,
                timeout=_GRACE_S,
            )
    shutil.rmtree(folder, ignore_errors=True)


class Connection:
    """Commands on one host. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        check_url(url)
        self.url = url
        self.kind = urlsplit(url).scheme
        self.place = url.partition("?")[0]

    @functools.cached_property
    def _backend(self) -> Any:
        from testinfra.backend import get_backend

        shared: dict[str, str] = {}
        if self.kind == "ssh":
            # One shared connection a URL: ssh's own %C would also share it among other keys and configurations.
            name = hashlib.sha256(self.url.encode()).hexdigest()[:16]
            shared = {"ssh_extra_args": _SSH_ARGS, "controlpath": f"{_control_folder()}/{name}"}
        backend = get_backend(self.url, **shared)

        def line_only(template: str, *args: str) -> Any:
            return backend.result(0, b"", backend.quote(template, *args), "")

        backend.run_local = line_only
        backend.encode = os.fsencode
        return backend

    def argv(self, words: Sequence[str]) -> list[str]:
        """The local command that runs `words` on the host. Raises HostError when it is too long for the system."""
        line = shlex.join(words)
        if len(line) > _LONGEST_LINE:
            raise HostError(
                f"{self.url}: a command of {len(line)} characters is too long; pass its data in a file"
            )
        local = shlex.split(self._backend.run(line).stdout)
        return ["docker", "exec", "-i", *local[2:]] if self.kind == "docker" else local

    def carry_out(self, words: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Done:
        """Run `words` with `stdin` on the host, killed there after `timeout_s` seconds, and given up here soon after.

        Over ssh, status 255 means that ssh itself failed. Raises HostError when the host cannot be asked.
        """
        argv = self.argv(["timeout", "-k", f"{_KILL_AFTER_S:g}", f"{timeout_s:.3f}", *words])
        done = self._run_here(argv, stdin, timeout_s, shown=words)
        if done.status in (124, 137) and done.seconds >= timeout_s:
            raise PastDeadline(
                f"{self.place}: {_command(words)}: killed, not finished within {timeout_s:g} s"
            )
        self._refuse_failed_way(done)
        return done

    def _run_here(self, argv: list[str], stdin: bytes, timeout_s: float, shown: Sequence[str]) -> Done:
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise HostError(
                f"{self.url}: no program {argv[0]!r} on this machine; install it, or name another host"
            ) from None
        except (OSError, ValueError) as error:
            raise HostError(f"{self.place}: cannot run {_command(shown)}: {error}") from None
        with process:
            try:
                guard_s = timeout_s + _KILL_AFTER_S + _GRACE_S + (_CONNECT_S if self.kind == "ssh" else 0)
                stdout, stderr = process.communicate(stdin, timeout=guard_s)
            except subprocess.TimeoutExpired:
                _kill_all(process)
                raise HostError(
                    f"{self.url}: {_command(shown)}: no answer within {guard_s:g} s; {self._next()}"
                ) from None
            except BaseException:
                _kill_all(process)
                raise
        # Ended by a signal: as a shell, and ssh and docker with it, would tell.
        status = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return Done(status, stdout, stderr, time.monotonic() - started)

    def _refuse_failed_way(self, done: Done) -> None:
        """Raise HostError when the way to the host failed, rather than the command on it."""
        said = None
        if self.kind == "ssh" and done.status == 255:
            said = _last_line(done.stderr) or "ssh ended with status 255"
        elif self.kind == "docker" and done.status and (match := _DOCKER_SAYS.search(done.stderr)):
            said = _last_line(done.stderr[match.start() :].split(b"\n", 1)[0])
        elif self._backend.sudo and done.status and done.stderr.startswith(b"sudo: "):
            said = _last_line(done.stderr)
        if said is not None:
            raise HostError(f"{self.place}: cannot be reached: {said.rstrip('.')}; {self._next()}")

    def _next(self) -> str:
        return _NEXT[self.kind].format(place=self.place)


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the process with everything it started, and let go of pipes that a survivor might hold open."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _command(words: Sequence[str], limit: int = 120) -> str:
    line = shlex.join(words).replace("\n", " ")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
