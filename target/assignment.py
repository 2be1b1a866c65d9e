"""What any reader of environment files yields: assignments in order, lines it loses, and what it refuses."""

import re

import msgspec

ELSEWHERE = "a variable that the file has not set before"


class Assignment(msgspec.Struct, frozen=True):
    """A variable as read, and the line (from 1) where it begins."""

    line: int
    name: str
    value: str


class Parsed(msgspec.Struct):
    """What a reader made of a file. No message holds a value."""

    assignments: list[Assignment] = []
    faults: list[str] = []
    lost: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """Every one of the four takes the last of several."""
        return {each.name: each.value for each in self.assignments}


def shown(name: str) -> str:
    """A name for a message. What does not look like one, mixed case included, may be a piece of a key: not shown."""
    looks_like_one = re.fullmatch(r"(export +)?([A-Z_][A-Z0-9_]{0,63}|[a-z_][a-z0-9_]{0,63})", name, re.ASCII)
    return name if looks_like_one else "a variable"


def damaged(text: str) -> bool:
    """Whether the text was decoded from bytes that are not UTF-8."""
    return any("\ud800" <= char <= "\udfff" for char in text)
