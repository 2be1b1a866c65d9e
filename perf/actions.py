"""What an action of the rollback costs beyond the service's own restart, on this machine and over ssh."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from perf.sshd import start

Run = Callable[..., subprocess.CompletedProcess[str]]
FAULT = "database-password-wrong"
_TIMES = 3


class ActionError(Exception):
    """An action that is to be measured did not end well."""


def over_ssh(description: Path, url: str) -> Path:
    """The same target, with its host named by an ssh URL; beside it, since it names other files."""
    text = description.read_text("utf-8")
    if "local://" not in text:
        raise ActionError(f"{description} is not of this machine")
    path = description.with_name("target-ssh.yaml")
    path.write_text(text.replace("local://", url), "utf-8")
    path.chmod(0o600)
    return path


def costs(description: Path, stack: Path, folder: Path, run: Run) -> Iterator[tuple[str, float]]:
    """What was measured, and its median in seconds, on a stack of the drills that is as it should be."""
    folder.mkdir()
    server = start(folder)
    try:
        for where, target in (("local", description), ("over ssh", over_ssh(description, server.url))):
            must(run("-m", "drills", "inject", FAULT, "--dir", str(stack)))
            forward, back, look = [], [], []
            for _ in range(_TIMES):
                look.append(timed(run, "status", target)[0])
                forward.append(beyond_restart(run, target))
                back.append(beyond_restart(run, target, "--undo"))
            beyond_restart(run, target)
            yield f"rollback environment, {where}, beyond the restart", statistics.median(forward)
            yield f"rollback environment --undo, {where}, beyond it", statistics.median(back)
            yield f"rollback status, {where}", statistics.median(look)
    finally:
        server.stop()


def beyond_restart(run: Run, target: Path, *way: str) -> float:
    """Seconds from Enter to the end of the command, without those of the step that restarts the service."""
    seconds, told = timed(run, "environment", target, *way)
    steps = told["hosts"][0]["steps"]
    restarts: list[float] = [step["seconds"] for step in steps if "restart" in step["name"]]
    if len(restarts) != 1:
        raise ActionError(f"one restart was expected, and there were {len(restarts)}")
    return seconds - restarts[0]


def timed(run: Run, command: str, target: Path, *way: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds of a command of the rollback, and what it told. Raises ActionError when it does not end well."""
    started = time.monotonic()
    done = run("-m", "rollback", command, "--target", str(target), "--json", *way)
    seconds = time.monotonic() - started
    must(done)
    told: dict[str, Any] = json.loads(done.stdout)
    return seconds, told


def must(done: subprocess.CompletedProcess[str]) -> None:
    """Raises ActionError when the command did not end well."""
    if done.returncode != 0:
        raise ActionError(f"{' '.join(done.args[1:])}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
