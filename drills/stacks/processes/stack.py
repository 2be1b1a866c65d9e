"""An embedded stack: its supervisord is asked, its keeper tells whether it runs."""

import fcntl
import os
import socket
from collections.abc import Sequence

from drills.stacks import stack
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout
from drills.stacks.processes.layout import Ports, StackFile
from drills.stacks.processes.rules import SeaweedRules
from drills.stacks.processes.supervision import Supervisor, failure, last_lines, log_of
from drills.stacks.rules import Rules
from target.host import Host


def keeper_pid(layout: Layout) -> int | None:
    """The keeper of a running stack, None when the stack does not run."""
    try:
        descriptor = os.open(layout.alive, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that two who look do not take each other for the keeper.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 32) or b"0") or None
    else:
        return None
    finally:
        os.close(descriptor)


def wait_for_end(layout: Layout) -> None:
    """Wait, for as long as it takes, until the stack does not run any more; a signal's handler may end the wait."""
    with layout.alive.open("r") as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)


class ProcessesStack(stack.Stack):
    """Everything as processes of this machine."""

    supervisor: Supervisor
    ports: Ports

    def __init__(self, layout: Layout, remembered: StackFile) -> None:
        super().__init__(layout, remembered)
        self.ports = remembered.ports
        self.remembered = remembered
        self.supervisor = Supervisor(layout, self.ports, self.secrets)
        self.host = Host("local://")

    def running(self) -> bool:
        return keeper_pid(self.layout) is not None

    def take_down(self) -> Sequence[str]:
        from drills.stacks.processes.take_down import take_down

        return [f"process {pid}" for pid in take_down(self.layout)]

    def wait_for_end(self) -> None:
        wait_for_end(self.layout)

    def rules(self) -> Rules:
        if self.remembered.storage == "minio":
            return super().rules()
        return SeaweedRules(self.layout, self.secrets, self.supervisor)

    def second_address(self) -> tuple[str, int]:
        with socket.create_server((LOOPBACK, 0)) as free:
            return LOOPBACK, int(free.getsockname()[1])

    def log(self, name: str, lines: int) -> list[str]:
        return last_lines(log_of(self.layout, name), lines)

    def failure(self, name: str, what: str) -> StackError:
        return failure(self.layout, name, what)
