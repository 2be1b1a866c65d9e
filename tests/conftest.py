"""What holds for every test of the suite's own code."""

import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from target.description import Database, Objects
from tests import coverage

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

# How quick the machine is says nothing of the code: on a busy one an example may take long to make, and to try.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Take SIGINT as a person's terminal gives it: a runner in the background hands it down ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning in our own tests is an error; in front of an operator it must not be."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how a test that covers a cell of the actions' table ended."""
    report = yield
    if (report.when == "call" or not report.passed) and item.get_closest_marker("covers"):
        coverage.keep(coverage.Told(item.nodeid, report.outcome))
    return report


@pytest.fixture(scope="session")
def s3() -> Iterator[Objects]:
    """An S3 server with an empty bucket: MinIO where it is on PATH, else SeaweedFS."""
    from tests.s3_server import s3_server

    with s3_server() as objects:
        yield objects


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """A PostgreSQL server; its tables are made per test by `database`."""
    from tests.postgres_server import running_postgres

    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: "PostgresServer") -> Database:
    """A database of its own with the reference service's table, empty; it goes with the server."""
    from tests.postgres_server import new_database

    return Database(url=new_database(postgres))
