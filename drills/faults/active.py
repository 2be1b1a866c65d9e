"""The faults that are active in a stack: injecting one with proof, healing, and the file that remembers them."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import msgspec
import psycopg
import urllib3
from minio.error import MinioException

from drills.faults.catalogue import find
from drills.faults.fault import FaultError, Place
from drills.stacks.layout import write_private
from drills.stacks.lock import held
from drills.stacks.stack import Stack


class Active(msgspec.Struct, frozen=True):
    """An active fault: since when (ISO 8601, UTC), and what showed that it landed (None while it is injected)."""

    name: str
    since: str
    evidence: str | None = None


def active(stack: Stack) -> list[Active]:
    """The active faults, oldest first. Raises FaultError when the file that remembers them cannot be read."""
    try:
        return msgspec.json.decode(stack.layout.faults_file.read_bytes(), type=list[Active])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise FaultError(f"{stack.layout.faults_file} is not what injecting writes: {error}") from error


def inject(stack: Stack, name: str) -> str:
    """Break the stack as the fault says; the evidence that it landed.

    Raises FaultError: unknown, none for such a stack, active already, the same part broken by another, or it did not
    land (and was undone).
    """
    fault = find(name)
    if stack.kind not in fault.stacks:
        raise FaultError(
            f"{name} can be made on {' and '.join(fault.stacks)}, and this is a stack of {stack.kind}"
        )
    saved = stack.layout.saved / name
    with _one_at_a_time(stack):
        before = active(stack)
        for other in [item for item in before if find(item.name).part == fault.part]:
            if _stands(stack, other):
                raise FaultError(
                    f"{name} is active already, since {other.since}"
                    if other.name == name
                    else f"{name} breaks the {fault.part}, which {other.name} has broken already; "
                    f"heal that one first"
                )
            before.remove(other)
            _mend(stack, other, before)
        shutil.rmtree(saved, ignore_errors=True)
        saved.mkdir(parents=True, mode=0o700)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        place = Place(stack, saved)
        with _known_errors(name):
            fault.prepare(place)
            # From here on `heal` knows of it, also when this is cut short.
            _remember(stack, [*before, Active(name, now)])
            try:
                fault.inject(place)
                evidence = fault.landed(place)
            except Exception:
                fault.heal(place)
                _remember(stack, before)
                shutil.rmtree(saved)
                raise
        _remember(stack, [*before, Active(name, now, evidence)])
        return evidence


def heal(stack: Stack, name: str | None) -> list[str]:
    """Undo one fault, or all of them, the newest first; their names.

    Raises FaultError: it is not active, or it cannot be undone.
    """
    with _one_at_a_time(stack):
        remembered = active(stack)
        chosen = [item for item in reversed(remembered) if name in (None, item.name)]
        if name is not None and not chosen:
            find(name)
            raise FaultError(
                f"{name} is not active; active: {', '.join(item.name for item in remembered) or 'none'}"
            )
        for item in chosen:
            remembered.remove(item)
            _mend(stack, item, remembered)
        return [item.name for item in chosen]


def _stands(stack: Stack, fault: Active) -> bool:
    """Whether the fault is still there; a rollback may have cured it meanwhile."""
    try:
        find(fault.name).landed(Place(stack, stack.layout.saved / fault.name))
    except FaultError:
        return False
    return True


def _mend(stack: Stack, fault: Active, others: list[Active]) -> None:
    with _known_errors(fault.name):
        find(fault.name).heal(Place(stack, stack.layout.saved / fault.name))
    _remember(stack, others)
    shutil.rmtree(stack.layout.saved / fault.name)


def _remember(stack: Stack, faults: list[Active]) -> None:
    write_private(stack.layout.faults_file, msgspec.json.format(msgspec.json.encode(faults)))


def _one_at_a_time(stack: Stack) -> AbstractContextManager[None]:
    busy = FaultError("another inject or heal is at work on this stack; wait for it to end")
    return held(stack.layout.run / "faults.lock", busy)


@contextmanager
def _known_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise FaultError(f"{name}: the storage says: {error}") from error
    except psycopg.Error as error:
        raise FaultError(f"{name}: the database says: {str(error).splitlines()[0]}") from error
