"""Faults of the object storage: what is stored, and the server."""

from drills.faults.fault import Fault
from drills.faults.storage import objects, orphans, server, slow

# The orphan comes first: it has to be older than what healing the others writes anew.
FAULTS: tuple[Fault, ...] = (*orphans.FAULTS, *objects.FAULTS, *server.FAULTS, *slow.FAULTS)
