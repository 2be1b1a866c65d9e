"""Faults of the providers: how they behave, how fast they are, and what leads to them."""

from drills.faults.fault import Fault
from drills.faults.provider import addresses, behaving, slow

FAULTS: tuple[Fault, ...] = (*behaving.FAULTS, *slow.FAULTS, *addresses.FAULTS)
