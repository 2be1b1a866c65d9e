"""The checkout of the tests of `git`, for sets with it."""

from tests.rollback.git.conftest import _template, code

__all__ = ["_template", "code"]
