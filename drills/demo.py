"""`make demo`: a stack comes up, is recorded, broken, judged, rolled back and judged again."""

import shlex
import subprocess
import sys
from pathlib import Path

import msgspec

from drills.stacks.errors import StackError
from drills.stacks.layout import Layout
from drills.stacks.stack import Stack

_REPOSITORY = Path(__file__).resolve().parents[1]
_FAULT = "database-password-wrong"
_UP_S = 300.0
_COMMAND_S = 180.0
_DOWN_S = 90.0


class _Command(msgspec.Struct, frozen=True):
    """A command of the demonstration: what it shows, its words after the interpreter, and how it has to end."""

    shows: str
    words: tuple[str, ...]
    exits: int = 0
    limit_s: float = _COMMAND_S


def demo(folder: Path) -> int:
    """Run it all, each command shown before it runs; 0 when every one ended as it has to.

    Raises StackError at the first that did not. The stack is taken down in any case.
    """
    root = folder.resolve()
    # As a person would type it where the commands run.
    shown = root.relative_to(_REPOSITORY) if root.is_relative_to(_REPOSITORY) else root
    target = str(shown / "target.yaml")
    judge = ("pytest", "-m", "post_rollback", "--target", target)
    commands = (
        _Command(
            "a stack of its own comes up and is recorded as healthy", _drills("up", shown), limit_s=_UP_S
        ),
        _Command("as it is, it is judged good", judge),
        _Command("it breaks: someone restarts it with a wrong password", _drills("inject", shown, _FAULT)),
        _Command("the verdict is red, and names the reason", judge, exits=1),
        _Command(
            "the rollback: .env.previous, restart, proof", ("rollback", "environment", "--target", target)
        ),
        _Command("the verdict is green again", judge),
    )
    layout = Layout(root)
    if layout.stack_file.exists() and Stack.at(root).running():
        print("── one that was left running is taken down first", flush=True)
        Stack.at(root).take_down()
    try:
        for number, command in enumerate(commands, 1):
            print(f"\n── {number}/{len(commands)} · {command.shows}", flush=True)
            _run(command)
    finally:
        if layout.stack_file.exists():
            print("\n── and it is taken down", flush=True)
            _run(_Command("", _drills("down", shown), limit_s=_DOWN_S))
    print("\ndone · every command ended as it has to", flush=True)
    return 0


def _drills(verb: str, folder: Path, *more: str) -> tuple[str, ...]:
    return ("drills", verb, *more, "--dir", str(folder))


def _run(command: _Command) -> None:
    words = command.words if command.words[0] == "pytest" else ("python", "-m", *command.words)
    print(f"$ {shlex.join(words)}", flush=True)
    argv = [sys.executable, "-m", *command.words]
    try:
        status = subprocess.run(argv, cwd=_REPOSITORY, timeout=command.limit_s, check=False).returncode
    except subprocess.TimeoutExpired:
        raise StackError(f"`{shlex.join(words)}` was not done after {command.limit_s:.0f} s") from None
    if status != command.exits:
        raise StackError(f"`{shlex.join(words)}` ended with exit {status}, and has to with {command.exits}")
