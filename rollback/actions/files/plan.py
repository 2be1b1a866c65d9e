"""What a run of `files` needs to be carried out, gone on with and undone."""

import msgspec

from rollback.migration import Migration
from rollback.swapping import SwapPlan


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """A new virtualenv: made by the interpreter `base`, from the list at `requirements`, which may hold `hashes`.

    `constraints` pin what the list leaves open. `tools` are pip and its like, where the record has them.
    """

    base: str
    requirements: str
    wheelhouse: str | None
    hashes: bool
    constraints: tuple[str, ...]
    tools: tuple[str, ...]


class FilesPlan(SwapPlan, frozen=True, kw_only=True):
    """`tree` is the SHA-256 of the code to restore. `suffix` ends the names of what is copied beside.

    `making` where packages are missing. `elsewhere`: the checkout's revision, where it is not the record's and stays.
    """

    tree: str
    suffix: str
    making: Making | None
    elsewhere: str
    migration: Migration | None = None
