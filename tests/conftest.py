"""What holds for every test of the suite's own code."""

import signal

import pytest


def pytest_configure() -> None:
    """Take SIGINT as a person's terminal gives it: a runner in the background hands it down ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning in our own tests is an error; in front of an operator it must not be."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error"), append=False)
