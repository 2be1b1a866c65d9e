"""A containers stack: the engine is asked about its parts, and the voice host about the service."""

from collections.abc import Sequence

from drills.stacks import stack
from drills.stacks.containers import inventory
from drills.stacks.containers.layout import Ports, StackFile, container
from drills.stacks.containers.parts import ANYWHERE, API_PORT
from drills.stacks.containers.supervision import VOICE_HOST, Supervisor
from drills.stacks.containers.take_down import take_down
from drills.stacks.errors import PortTakenError, StackError
from drills.stacks.layout import Layout
from target.host import Host
from target.wait import Seen, eventually

_FOR_EVER_S = 1e9
_LINES = 12
_TAKEN = ("address already in use", "port is already allocated")


class ContainersStack(stack.Stack):
    """Everything in containers; the folder is mounted into the voice host at the same path."""

    supervisor: Supervisor
    ports: Ports

    def __init__(self, layout: Layout, remembered: StackFile) -> None:
        super().__init__(layout, remembered)
        self.ports = remembered.ports
        self.run = remembered.run
        self.host = Host(f"docker://{container(self.run, VOICE_HOST)}")
        self.supervisor = Supervisor(self.run, self.host)

    def close(self) -> None:
        super().close()
        self.supervisor.close()

    def running(self) -> bool:
        if not self.layout.target_file.exists():
            return False
        with inventory.engine() as client:
            return inventory.runs(client, container(self.run, VOICE_HOST))

    def take_down(self) -> Sequence[str]:
        complete = self.running()
        removed = take_down(self.layout)
        return [] if complete else [str(thing) for thing in removed]

    def wait_for_end(self) -> None:
        eventually(lambda: Seen(not self.running(), "it runs"), deadline_s=_FOR_EVER_S)

    def second_address(self) -> tuple[str, int]:
        return ANYWHERE, API_PORT + 1

    def log(self, name: str, lines: int) -> list[str]:
        return self.supervisor.log(name, lines)

    def failure(self, name: str, what: str) -> StackError:
        try:
            lines = self.supervisor.log(name, _LINES) or ["(empty)"]
        except StackError as error:
            lines = [str(error)]
        text = "\n".join([f"{name}: {what}; its log ends:", *(f"    {line}" for line in lines)])
        taken = any(sign in text.lower() for sign in _TAKEN)
        return (PortTakenError if taken else StackError)(text)
