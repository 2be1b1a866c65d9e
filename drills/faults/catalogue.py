"""Every fault by name."""

import difflib
from collections.abc import Iterable

from checks.criterion import criteria
from drills.faults import (
    code,
    configuration,
    container,
    database,
    host,
    network,
    provider,
    service,
    several,
    storage,
    virtualenv,
)
from drills.faults.fault import Entry, Fault, FaultError

FAULTS: tuple[Fault, ...] = (
    *configuration.FAULTS,
    *code.FAULTS,
    *provider.FAULTS,
    *network.FAULTS,
    *database.FAULTS,
    *storage.FAULTS,
    *service.FAULTS,
    *several.FAULTS,
    *virtualenv.FAULTS,
    *host.FAULTS,
    *container.FAULTS,
)


def entries(family: str | None = None) -> list[Entry]:
    """The list of faults, or of those of a family. Raises FaultError: there is no such family, or criterion."""
    known = tuple(criteria({}, where="the list of faults"))
    return [_entry(fault, known) for fault in of_family(family)]


def check_criteria(faults: Iterable[Fault]) -> None:
    """That there is every criterion that a fault names. Raises FaultError with the nearest names."""
    known = tuple(criteria({}, where="the list of faults"))
    for fault in faults:
        _check(fault, known)


def _check(fault: Fault, known: tuple[str, ...]) -> None:
    for name in (*fault.must, *fault.may, *fault.shows):
        if name not in known:
            hint = _hint(name, known, "see: checks/criteria.yaml")
            raise FaultError(f"{fault.name}: there is no criterion {name!r}; {hint}")


def _entry(fault: Fault, known: tuple[str, ...]) -> Entry:
    _check(fault, known)
    told = {name: getattr(fault, name) for name in Entry.__struct_fields__ if name != "must_not"}
    touched = {*fault.must, *fault.may}
    return Entry(**told, must_not=tuple(name for name in known if name not in touched))


def find(name: str) -> Fault:
    """The fault of that name. Raises FaultError with the nearest names."""
    known = {fault.name: fault for fault in FAULTS}
    if name in known:
        return known[name]
    raise FaultError(f"there is no fault {name!r}; {_hint(name, known, 'see: python -m drills faults')}")


def of_family(name: str | None) -> tuple[Fault, ...]:
    """The faults of that family, all for None. Raises FaultError with the families that there are."""
    found = tuple(fault for fault in FAULTS if name in (None, fault.family))
    if not found:
        families = sorted({fault.family for fault in FAULTS})
        raise FaultError(f"there is no family {name!r}; there is: {', '.join(families)}")
    return found


def _hint(name: str, known: Iterable[str], otherwise: str) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
