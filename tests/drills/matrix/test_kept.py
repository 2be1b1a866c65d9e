"""The repository's own matrix is whole: a check or a fault that is added without its row is seen here."""

import msgspec
import pytest

from drills.faults.catalogue import FAULTS
from drills.matrix import mutants, row
from drills.matrix.elsewhere import elsewhere
from drills.matrix.kept import gaps, matrix_file, mutants_file
from drills.matrix.report import report
from drills.stacks.layout import KINDS
from tests.drills.matrix.rows import ALL, healthy, matrix
from tests.drills.matrix.rows import row as row_of

FAULT = FAULTS[0]
ROW = row.of(FAULT, row_of(FAULT.name, *FAULT.must))


@pytest.mark.parametrize("stack", KINDS)
def test_every_fault_and_every_check_has_its_row_and_there_is_no_hole(stack):
    kept = row.read(matrix_file(stack))
    assert kept is not None
    here = [fault for fault in FAULTS if stack in fault.stacks]
    assert gaps(kept, here, ALL) == []
    judged = report(kept, whole=True, wanted=[fault.name for fault in here])
    assert judged.holes == []
    assert judged.exit_code == 0


def test_every_check_was_broken_and_that_was_noticed():
    """On the embedded stack, and where that cannot have a criterion, on the one of containers."""
    embedded = elsewhere("processes")
    assert not_noticed("processes", ALL, embedded) == []
    assert not_noticed("containers", list(embedded), elsewhere("containers")) == []


def not_noticed(stack, criteria, without):
    kept = mutants.read(mutants_file(stack))
    assert kept is not None
    assert mutants.exit_code(kept.mutants, []) == 0
    return mutants.holes(kept.mutants, criteria, without)


def test_a_whole_matrix_has_no_gap():
    assert gaps(matrix(healthy(), ROW), [FAULT], ALL) == []


@pytest.mark.parametrize(
    ("rows", "criteria", "told"),
    [
        ((healthy(),), ALL, f"{FAULT.name} has no row: python -m drills matrix --stack processes --keep {FAULT.name}"),
        ((ROW, row_of("gone")), ALL, "gone has a row and is no fault of this stack"),
        ((msgspec.structs.replace(ROW, must=("debug_off",)),), ALL, "other criteria have to fail"),
        ((msgspec.structs.replace(ROW, may=("debug_off",)),), ALL, "other criteria have to fail"),
        ((ROW,), [*ALL, "a_new_criterion"], f"the row of {FAULT.name} says nothing of a_new_criterion"),
        ((msgspec.structs.replace(ROW, trouble="lost"),), ALL, f"the row of {FAULT.name} is inconclusive"),
    ],
)  # fmt: skip
def test_a_gap_is_said_with_what_to_type(rows, criteria, told):
    (gap,) = gaps(matrix(*rows), [FAULT], criteria)
    assert told in gap
    assert "python -m drills matrix" in gap
