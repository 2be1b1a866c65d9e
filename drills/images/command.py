"""Commands that have to succeed while images are made: bounded, quiet, and told by their last lines when they fail."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from drills.stacks.errors import StackError

_LAST = 12


def must(
    command: Sequence[str],
    *,
    timeout_s: float,
    missing: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    """Run a command; what it printed. Raises StackError; `missing` says what to do when there is no such command."""
    shown = " ".join([Path(command[0]).name, *command[1:3]])
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise StackError(f"{command[0]} is missing; {missing}") from None
    except subprocess.TimeoutExpired:
        raise StackError(f"{shown} … was not done after {timeout_s:.0f} s") from None
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        lines = [f"    {line}" for line in printed.strip().splitlines()[-_LAST:]]
        raise StackError("\n".join([f"{shown} … failed (exit {done.returncode}):", *lines]))
    return printed
