"""For each action the fault by which it is rehearsed: the first that it cures."""

from drills.faults.catalogue import FAULTS
from drills.faults.fault import Fault
from rollback.catalogue import OFFERS

REHEARSED: dict[str, Fault] = {
    action: next(fault for fault in FAULTS if fault.cure == action)
    for action in OFFERS
    if any(fault.cure == action for fault in FAULTS)
}
