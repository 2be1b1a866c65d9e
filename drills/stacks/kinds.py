"""The kinds of stack: which one lies in a folder, and how one of each is brought up."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from drills.stacks.errors import StackError
from drills.stacks.layout import PROCESSES, Layout, StackFile, read_stack_file
from drills.stacks.stack import Stack

Say = Callable[[str], None]


class Lease(Protocol):
    """While it is unsettled, the stack dies with whoever holds it."""

    def settle(self) -> None:
        """From now on the stack outlives this process."""
        ...


def stack_at(root: Path) -> Stack:
    """The stack in that folder. Raises StackError: there is none, it cannot be read, or its kind is unknown."""
    layout = Layout(root.resolve())
    kind = read_stack_file(layout, StackFile).kind
    if kind == PROCESSES:
        from drills.stacks.processes.layout import read_stack_file as read_processes
        from drills.stacks.processes.stack import ProcessesStack

        return ProcessesStack(layout, read_processes(layout))
    raise StackError(f"{layout.stack_file} is of a stack of kind {kind!r}, which is not known here")


def brought_up(
    kind: str, root: Path, *, latency_s: float | None, say: Say
) -> AbstractContextManager[tuple[Stack, Lease | None]]:
    """A running stack of that kind in the folder, for a `with` block: when the block fails, it is taken down.

    The lease is None when one ran there already; otherwise the stack dies with this process unless the block settles
    it. Raises StackError: what is in the way, or which part failed and what it said last.
    """
    if kind == PROCESSES:
        from drills.stacks.processes.bring_up import brought_up as processes

        return processes(root, latency_s=latency_s, say=say)
    raise StackError(f"there is no kind of stack {kind!r}")
