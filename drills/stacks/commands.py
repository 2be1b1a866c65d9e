"""Commands that have to succeed while a stack is made; they can all be ended at once."""

import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from drills.stacks.errors import StackError

_LAST = 10


def base_environment() -> dict[str, str]:
    """What every part gets of the surroundings: where commands are, where home is, and no more."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LANG": "C.UTF-8", "TZ": "UTC"}


def tethered(command: Sequence[str], signal: str, user: str | None = None) -> list[str]:
    """The command, so started that it gets `signal` when its parent dies, and as `user` where one is named.

    Such a user may still pass through folders that are closed to it (the stack may lie below one that only root
    may enter): of root's powers it keeps the one for that.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError("the command setpriv is missing; install the package util-linux")
    words = [setpriv, "--pdeathsig", signal]
    if user is not None:
        capabilities = "-all,+dac_override"
        entry = pwd.getpwnam(user)
        words += [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        words += [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"]
    return [*words, "--", *command]


class Commands:
    """Runs commands, from several threads; after `abort` those that run are killed and no other starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._aborted = False

    def abort(self) -> None:
        """Kill what runs and refuse what comes."""
        with self._lock:
            self._aborted = True
            for process in self._running:
                process.kill()

    def must(
        self,
        part: str,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        timeout_s: float,
        user: str | None = None,
    ) -> str:
        """Run a command, as `user` where one is named; its output.

        Raises StackError naming the part, the command and its last lines. The command dies with this process.
        """
        shown = " ".join([Path(command[0]).name, *command[1:3]])
        process = self._start(part, tethered(command, "KILL", user), cwd, environment)
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise StackError(f"{part}: {shown} … was not done after {timeout_s:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
            with self._lock:
                self._running.discard(process)
        if process.returncode != 0:
            lines = [f"    {line}" for line in output.strip().splitlines()[-_LAST:]]
            raise StackError("\n".join([f"{part}: {shown} … failed (exit {process.returncode}):", *lines]))
        return output

    def _start(
        self, part: str, command: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._aborted:
                raise StackError(f"{part}: not begun, since another part failed")
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise StackError(f"{part}: {command[0]} cannot be run: {error.strerror}") from error
            self._running.add(process)
            return process
