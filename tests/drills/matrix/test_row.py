"""Rows and matrices in files: written as they come, merged, read back, refused when they are something else."""

import json

import jsonschema
import pytest

from drills.faults.catalogue import FAULTS
from drills.matrix import row as kept
from drills.stacks.errors import StackError
from tests.drills.matrix.rows import healthy, matrix, row


def test_a_matrix_is_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "matrix.json"
    written = matrix(healthy(), row("one", "error_rate"), row("two", trouble="перерыв"))
    kept.write(written, path)
    assert kept.read(path) == written
    assert len(path.read_text("utf-8").splitlines()) == 5
    jsonschema.validate(json.loads(path.read_text("utf-8")), json.loads(kept.SCHEMA.read_text("utf-8")))


def test_the_schema_in_the_repository_is_that_of_the_file():
    assert kept.SCHEMA.read_text("utf-8") == kept.schema()


def test_a_matrix_without_rows_can_be_written(tmp_path):
    kept.write(matrix(), tmp_path / "matrix.json")
    assert kept.read(tmp_path / "matrix.json") == matrix()


def test_what_is_no_matrix_is_said(tmp_path):
    path = tmp_path / "matrix.json"
    assert kept.read(path) is None
    path.write_text("[]")
    with pytest.raises(StackError, match="is not a matrix"):
        kept.read(path)
    kept.write(matrix(schema=99), path)
    with pytest.raises(StackError, match="schema 99"):
        kept.read(path)


def test_new_rows_take_the_place_of_old_ones_and_lost_faults_go():
    before = matrix(healthy(), row("one"), row("gone"), row("two"))
    new = matrix(row("three"), row("one", "error_rate"), commit="def")
    found = kept.merged(before, new, ["one", "two", "three"])
    assert [each.fault for each in found.rows] == ["one", "two", "three"]
    assert found.rows[0].failed == {"error_rate": "error_rate is bad"}
    assert found.commit == "def"


def test_a_row_is_judged_by_what_its_fault_says_now():
    fault = FAULTS[0]
    found = kept.of(fault, row(fault.name, "error_rate", must=("debug_off",)))
    assert (found.must, found.may, found.first) == (fault.must, fault.may, fault.first)
    assert list(found.failed) == ["error_rate"]
