"""The deployment of these tests runs from a git checkout."""

import os

import pytest

from tests.rollback.git.repository import Code, releases


@pytest.fixture(scope="session")
def _template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases")
    releases(folder)
    return folder


@pytest.fixture
def fresh(quick, _template, monkeypatch):
    """As `code`, to be reset by the test itself."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    found = Code(quick, _template)
    yield found
    found.remove()


@pytest.fixture
def code(fresh):
    """The bad release in the checkout, running; the good one on record. See `Code`."""
    fresh.reset()
    return fresh
