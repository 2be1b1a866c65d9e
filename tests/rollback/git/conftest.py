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
def code(quick, _template, monkeypatch):
    """The bad release in the checkout, running; the good one on record. See `Code`."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    found = Code(quick, _template)
    found.reset()
    yield found
    found.remove()
