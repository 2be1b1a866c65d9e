"""Which faults are drilled: by name, by family, one of each family, all, or those that rehearse each action; and
which of them side by side."""

from collections.abc import Sequence

from drills.faults.catalogue import FAULTS, find, of_family
from drills.faults.fault import Fault, FaultError
from rollback.catalogue import OFFERS


def rehearsed(stack: str) -> dict[str, Fault]:
    """For each action the first fault that it cures on that kind of stack."""
    there = [fault for fault in FAULTS if stack in fault.stacks]
    cured = {action: next((fault for fault in there if fault.cure == action), None) for action in OFFERS}
    return {action: fault for action, fault in cured.items() if fault is not None}


def not_rehearsed(stack: str) -> list[str]:
    """The actions that no fault rehearses on that kind of stack."""
    return [action for action in OFFERS if action not in rehearsed(stack)]


def of_each_family(stack: str) -> list[Fault]:
    """For each family the first fault of that kind of stack that an action cures, one that no family before had."""
    there = [fault for fault in FAULTS if stack in fault.stacks]
    found: list[Fault] = []
    for family in dict.fromkeys(fault.family for fault in there):
        had = {fault.cure for fault in found}
        among = [fault for fault in there if fault.family == family]
        found.append(min(among, key=lambda fault: (fault.cure is None, fault.cure in had)))
    return found


def chosen(
    names: Sequence[str], family: str | None, *, every: bool, stack: str, each_family: bool = False
) -> list[Fault]:
    """The faults to drill on that kind of stack, in the order of the catalogue; `names` are faults' or actions'.

    Of all, those that break the storage come first: each drill adds to the bucket, and these go over the whole of it.
        Raises FaultError: a name that there is not, a fault that cannot be made there, or nothing at all.
    """
    rehearsals = rehearsed(stack)
    if names and (family is not None or every or each_family):
        named = ", ".join(names)
        raise FaultError(f"named as well: {named}; leave out --family, --each-family and --all, or the names")
    if names:
        faults = [rehearsals.get(name) or find(name) for name in names]
        elsewhere = [fault.name for fault in faults if stack not in fault.stacks]
        if elsewhere:
            raise FaultError(f"{', '.join(elsewhere)} cannot be made on the stack {stack}")
        return list(dict.fromkeys(faults))
    if each_family:
        return of_each_family(stack)
    among = of_family(family) if every or family is not None else rehearsals.values()
    faults = [fault for fault in among if stack in fault.stacks]
    if every:
        faults.sort(key=lambda fault: fault.part != "storage")
    if not faults:
        raise FaultError(f"no fault of that kind can be made on the stack {stack}")
    return faults


def apart(faults: Sequence[Fault], jobs: int) -> tuple[list[str], list[str]]:
    """The names of those that can be had side by side by so many, and of those that come alone, after them."""
    alone = [fault.name for fault in faults if fault.alone and jobs > 1]
    return [fault.name for fault in faults if fault.name not in alone], alone
