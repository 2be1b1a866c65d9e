"""Capturing facts of the running deployment: for a record, and for the checks that compare with one."""

from collections.abc import Callable

from target.description import Target
from target.host import Host
from target.record import CodeRecord, EnvironmentRecord, Record, Records


def environment(target: Target, host: Host, records: Records) -> EnvironmentRecord:
    """Keyed hashes of the environment file that is in place. Raises HostError, TargetError."""
    raise NotImplementedError


def packages(target: Target, host: Host) -> tuple[str, dict[str, str]]:
    """Python version and name → version of everything in the service's virtualenv, asked of its own interpreter."""
    raise NotImplementedError


def code(target: Target, host: Host) -> CodeRecord:
    """Hash of the package folder and the checkout's HEAD. Raises HostError."""
    raise NotImplementedError


async def record(target: Target, host: Host, records: Records, progress: Callable[[str], None]) -> Record:
    """Capture everything the target offers, refusing (RecordError) when the service does not say that it is healthy."""
    raise NotImplementedError
