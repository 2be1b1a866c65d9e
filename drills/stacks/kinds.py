"""The kinds of stack: which one lies in a folder, and how one of each is brought up."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

from drills.stacks.errors import StackError
from drills.stacks.layout import AUTO, CONTAINERS, PROCESSES, Layout, StackFile, read_stack_file
from drills.stacks.stack import Stack

Say = Callable[[str], None]


class Lease(Protocol):
    """While it is unsettled, the stack dies with whoever holds it."""

    def settle(self) -> None:
        """From now on the stack outlives this process."""
        ...


def chosen(kind: str) -> str:
    """The kind that is meant: of `auto`, containers where an engine answers and has the images, else processes."""
    if kind != AUTO:
        return kind
    from drills.stacks.containers import images

    try:
        images.names()
    except StackError:
        return PROCESSES
    return CONTAINERS


def sweep() -> list[str]:
    """Remove what killed commands left of stacks of any kind, and nothing else; what was removed.

    Raises StackError when something cannot be removed.
    """
    from drills.stacks.containers import sweep as containers
    from drills.stacks.processes import sweep as processes

    return [*processes.sweep(), *map(str, containers.sweep())]


def stack_at(root: Path) -> Stack:
    """The stack in that folder. Raises StackError: there is none, it cannot be read, or its kind is unknown."""
    layout = Layout(root.resolve())
    kind = read_stack_file(layout, StackFile).kind
    if kind == PROCESSES:
        from drills.stacks.processes.layout import read_stack_file as read_processes
        from drills.stacks.processes.stack import ProcessesStack

        return ProcessesStack(layout, read_processes(layout))
    if kind == CONTAINERS:
        from drills.stacks.containers.layout import read_stack_file as read_containers
        from drills.stacks.containers.stack import ContainersStack

        return ContainersStack(layout, read_containers(layout))
    raise StackError(f"{layout.stack_file} is of a stack of kind {kind!r}, which is not known here")


def brought_up(
    kind: str, root: Path, *, latency_s: float | None, say: Say
) -> AbstractContextManager[tuple[Stack, Lease | None]]:
    """A running stack of that kind in the folder, for a `with` block: when the block fails, it is taken down.

    The lease is None when one ran there already; otherwise the stack dies with this process unless the block settles
    it. Raises StackError: what is in the way, or which part failed and what it said last.
    """
    _end_of_another_kind(kind, Layout(root.resolve()))
    if kind == CONTAINERS:
        from drills.stacks.containers.bring_up import brought_up as containers

        return containers(root, latency_s=latency_s, say=say)
    if kind == PROCESSES:
        from drills.stacks.processes.bring_up import brought_up as processes

        return processes(root, latency_s=latency_s, say=say)
    raise StackError(f"there is no kind of stack {kind!r}")


def _end_of_another_kind(kind: str, layout: Layout) -> None:
    """End what is left there of a stack of another kind. Raises StackError when one runs."""
    if not layout.stack_file.exists():
        return
    with closing(stack_at(layout.root)) as other:
        if other.kind == kind:
            return
        if other.running():
            raise StackError(
                f"a stack of {other.kind} runs in {layout.root}; end it: python -m drills down --dir {layout.root}"
            )
        other.take_down()
