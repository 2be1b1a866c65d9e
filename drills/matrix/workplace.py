"""The folder that a matrix, its mutants or quiet runs are taken in: for one run at a time, and what stays in it."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from drills.stacks.errors import StackError
from drills.stacks.kinds import Say
from target.wait import Seen, eventually

_FREE_S = 60.0
T = TypeVar("T")


@contextmanager
def alone(folder: Path, say: Say) -> Iterator[int]:
    """The folder for this run alone. The workers hold it too: one that outlives a killed run still tidies up.

    Raises StackError: another run does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:

        def look() -> Seen:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Seen(False, "it is in use")
            return Seen(True, "free")

        def tell(attempt: int, seen: Seen) -> None:
            if attempt == 1 and not seen.met:
                say(f"{folder} is in use by another run; this one waits up to {_FREE_S:.0f} s for its end")

        if not eventually(look, deadline_s=_FREE_S, on_attempt=tell).met:
            raise StackError(f"{folder} is in use by another run; wait for its end")
        yield lock.fileno()


def clear(folder: Path) -> None:
    """Remove what an earlier run has left, but for the stacks, which whoever brings them up clears away."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    for path in folder.iterdir():
        if path.is_file() and path.name != "lock":
            path.unlink()


def keep_logs(stack: Path) -> None:
    """Keep the logs of the parts of a stack that is down, and nothing else of it."""
    logs = stack.with_name(f"{stack.name}-log")
    shutil.rmtree(logs, ignore_errors=True)
    if (stack / "log").is_dir():
        (stack / "log").rename(logs)
    shutil.rmtree(stack)


def note(what: msgspec.Struct, path: Path) -> None:
    """Add something to a file of what comes, in the place of a line that a kill has cut short. Raises OSError."""
    whole = path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0
    with path.open("ab") as file:
        file.truncate(whole)
        file.write(msgspec.json.encode(what) + b"\n")


def noted(path: Path, kind: type[T]) -> list[T]:
    """What is in such a file, but for a last line that was cut short. Raises StackError: it is of something else."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    try:
        return [msgspec.json.decode(line, type=kind) for line in lines if line.endswith(b"\n")]
    except msgspec.DecodeError as error:
        raise StackError(f"{path}: {error}; take it anew, without --resume") from None
