"""Faults of a container on a stack that has none."""

import pytest

from drills.faults import container
from drills.faults.fault import FaultError


class Processes:
    kind = "processes"


def test_a_stack_without_a_compose_project_says_how_to_get_one():
    with pytest.raises(
        FaultError, match="no compose project; bring one up: python -m drills up --stack containers"
    ):
        container.FAULTS[0].target_file(Processes())


def test_they_are_of_one_part_one_cure_and_one_kind_of_stack():
    assert {(fault.part, fault.cure, fault.stacks) for fault in container.FAULTS} == {
        ("container", "containers", ("containers",))
    }
