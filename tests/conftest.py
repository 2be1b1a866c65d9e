"""What holds for every test of the suite's own code."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning in our own tests is an error; in front of an operator it must not be."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error"), append=False)
