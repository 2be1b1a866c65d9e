"""What an embedded stack has beyond any other: the ports of SeaweedFS and of supervisord."""

from drills.stacks import layout
from drills.stacks.layout import Layout


class Ports(layout.Ports, frozen=True):
    """The ports on 127.0.0.1."""

    s3_grpc: int
    filer: int
    filer_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    supervisor: int


class StackFile(layout.StackFile, frozen=True, kw_only=True):
    """What `stack.json` remembers. `storage` is the server that was there: `minio` or `seaweedfs`."""

    ports: Ports
    storage: str


def read_stack_file(where: Layout) -> StackFile:
    """What the folder remembers. Raises StackError: not a stack, unreadable, of another format."""
    return layout.read_stack_file(where, StackFile)
