"""The results that the repository keeps, and what they lack when a check, a fault or what it says was changed."""

from collections.abc import Iterable
from pathlib import Path

from drills.faults.fault import Fault
from drills.matrix.row import HEALTHY, Matrix

HERE = Path(__file__).parent


def matrix_file(stack: str) -> Path:
    """The matrix of a stack."""
    return HERE / f"{stack}.json"


def mutants_file(stack: str) -> Path:
    """What became of the checks' mutants on a stack."""
    return HERE / f"mutants-{stack}.json"


def quiet_file(stack: str) -> Path:
    """The healthy runs on a stack."""
    return HERE / f"quiet-{stack}.json"


def gaps(matrix: Matrix, faults: Iterable[Fault], criteria: Iterable[str]) -> list[str]:
    """What a kept matrix lacks or has too much of, in words with what to type."""
    known = {fault.name: fault for fault in faults}
    every = set(criteria)
    take = f"python -m drills matrix --stack {matrix.stack} --keep"
    rows = {row.fault: row for row in matrix.rows}
    found = [f"{name} has no row: {take} {name}" for name in known if name not in rows]
    for name, row in rows.items():
        if name == HEALTHY:
            continue
        fault = known.get(name)
        if fault is None:
            found.append(f"{name} has a row and is no fault of this stack: {take}")
            continue
        if (row.must, row.may, row.first) != (fault.must, fault.may, fault.first):
            found.append(f"{name} says now that other criteria have to fail: {take} {name}")
        if missing := sorted(every - row.criteria):
            found.append(f"the row of {name} says nothing of {', '.join(missing)}: {take}")
        if row.trouble:
            found.append(f"the row of {name} is inconclusive: {take} {name}")
    return found
