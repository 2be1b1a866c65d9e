"""Environment files, judged as the program that reads them would (systemd, compose, docker-compose 1.29, python-dotenv)."""

from typing import Literal

import msgspec

Reader = Literal["systemd", "compose", "compose-v1", "python-dotenv"]


class Reading(msgspec.Struct, frozen=True):
    """What one reader makes of a file: variables, what it would refuse or lose, what other readers see differently.

    `faults` make the file unusable for this reader; `warnings` are worth a line. Neither ever holds a value.
    """

    variables: dict[str, str]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def read(content: bytes, reader: Reader) -> Reading:
    """Read an environment file as `reader` does. Never raises for bad content: that is what `faults` is for."""
    raise NotImplementedError


def differences(current: dict[str, str], other: dict[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Names only in `other`, only in `current`, and in both with different values (each sorted; never values)."""
    raise NotImplementedError
