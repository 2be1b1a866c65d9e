"""Faults of the object storage: what is stored, and the server."""

from drills.faults.fault import Fault
from drills.faults.storage import objects, orphans, server, slow

FAULTS: tuple[Fault, ...] = (*objects.FAULTS, *orphans.FAULTS, *server.FAULTS, *slow.FAULTS)
