"""The person on call in a drill: types the commands of the README at a stack, each bounded."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drills.stacks.commands import tethered
from drills.stacks.errors import StackError
from target.host import Host

REPOSITORY = Path(__file__).resolve().parents[1]
# A rollback that is told to stop ends the step that it is at.
_STOPS_S = 90.0


class Typed(msgspec.Struct, frozen=True):
    """A command that was typed: how it ended, what it printed, and the seconds that it took.

    `left` is whether something that it started ran on after it.
    """

    command: str
    exit: int
    out: str
    errors: str
    seconds: float
    left: bool = False

    @property
    def says(self) -> str:
        """Its last line that is not indented, which says how it ended, for one line of evidence."""
        lines = [line for line in (self.errors or self.out).splitlines() if line.strip()]
        told = [line for line in lines if not line[0].isspace()] or lines
        return f"exit {self.exit}{': ' + told[-1].strip()[:200] if told else ''}"


class Operator:
    """Types commands for one target. They die with this process, and end in good order when it is interrupted."""

    def __init__(self, target_file: Path) -> None:
        self._target = str(target_file)

    def types(self, *words: str, limit_s: float, variables: Mapping[str, str] | None = None) -> Typed:
        """`python -m <words> --target …`, with these variables in its environment besides.

        Raises StackError when it is not done in time, and ends it.
        """
        shown = shlex.join(words if words[0] == "pytest" else ("python", "-m", *words))
        started = time.monotonic()
        process = subprocess.Popen(
            tethered([sys.executable, "-m", *words, "--target", self._target], "TERM"),
            cwd=REPOSITORY,
            env=_environment() | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process, which passes it on
        )
        try:
            out, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise StackError(f"not done after {limit_s:.0f} s: `{shown}`") from None
        finally:
            _end(process)
        seconds = time.monotonic() - started
        return Typed(shown, process.returncode, out, errors, seconds, left=_end_group(process.pid))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VOICE_TARGET")}


def typed_on(host: Host, words: list[str], *, limit_s: float) -> Typed:
    """A command that is typed on the host itself. Raises HostError: it is not reached, or not done in time."""
    started = time.monotonic()
    ran = host.run(words, timeout_s=limit_s)
    return Typed(shlex.join(words), ran.status, ran.stdout, ran.stderr, time.monotonic() - started)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=_STOPS_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _end_group(process.pid)
        process.communicate(timeout=_STOPS_S)


def _end_group(group: int) -> bool:
    """Kill what is left of a process group; whether there was anything."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
