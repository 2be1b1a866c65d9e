"""Environment files, judged as the program that reads them would.

The four readers (systemd, compose v2, docker-compose 1.29, python-dotenv) are in `target.dialects`, with what each was
compared with.
"""

import msgspec

from target.assignment import Parsed, shown
from target.dialects import READERS, Reader, parse

__all__ = ["Reader", "Reading", "differences", "read"]

_LONGEST = 128 * 1024  # of NAME=value with its ending NUL: Linux's MAX_ARG_STRLEN, execve(2)
_BOM = b"\xef\xbb\xbf"
_BOM_COSTS: dict[Reader, str] = {
    "systemd": "systemd drops the first variable",
    "python-dotenv": "most releases of python-dotenv take it for a part of the first name",
}


class Reading(msgspec.Struct, frozen=True):
    """What one reader makes of a file: variables, what it would refuse or lose, what other readers see differently.

    `faults` make the file unusable for this reader; `warnings` are worth a line. Neither ever holds a value.
    """

    variables: dict[str, str]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def read(content: bytes, reader: Reader) -> Reading:
    """Read an environment file as `reader` does. Never raises for bad content: that is what `faults` is for."""
    parsed = parse(content, reader)
    faults = [*_whole_file(content, reader), *parsed.faults, *_too_long(parsed)]
    if not parsed.variables and not faults:
        faults.append("holds no variables")
    warnings = [*parsed.lost, *_line_ends(content, parsed, reader), *_repeated(parsed)]
    if not faults:
        warnings += _read_otherwise(content, parsed, reader)
    return Reading(variables=parsed.variables, faults=tuple(faults), warnings=tuple(warnings))


def differences(current: dict[str, str], other: dict[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Names only in `other`, only in `current`, and in both with different values (each sorted; never values)."""
    changed = [name for name in current.keys() & other.keys() if current[name] != other[name]]
    return sorted(other.keys() - current.keys()), sorted(current.keys() - other.keys()), sorted(changed)


def _whole_file(content: bytes, reader: Reader) -> list[str]:
    faults = []
    if content.startswith(_BOM) and reader in _BOM_COSTS:
        faults.append(f"begins with a byte order mark: {_BOM_COSTS[reader]}; save the file without it")
    if (at := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        faults.append(f"line {line}: a NUL byte, which no variable can hold")
    return faults


def _too_long(parsed: Parsed) -> list[str]:
    return [
        f"line {each.line}: {shown(each.name)} is longer than 128 kB, and no program can be started with that"
        for each in parsed.assignments
        if len(f"{each.name}={each.value}".encode("utf-8", "surrogateescape")) >= _LONGEST
    ]


def _line_ends(content: bytes, parsed: Parsed, reader: Reader) -> list[str]:
    inside = [
        f"line {each.line}: {shown(each.name)} holds a carriage return"
        for each in parsed.assignments
        if "\r" in each.value
    ]
    if b"\r\n" in content:
        inside.append(
            f"lines end with CRLF; {reader} takes the CR for part of the line end, other programs may not"
        )
    return inside


def _repeated(parsed: Parsed) -> list[str]:
    warnings = []
    first: dict[str, tuple[int, str]] = {}
    for each in parsed.assignments:
        line, value = first.setdefault(each.name, (each.line, each.value))
        if value != each.value:
            warnings.append(
                f"line {each.line}: {shown(each.name)} has another value than on line {line}; the last counts"
            )
    return warnings


def _read_otherwise(content: bytes, own: Parsed, reader: Reader) -> list[str]:
    """Where the other three readers would see something else."""
    warnings: list[str] = []
    different: dict[tuple[int, str], list[str]] = {}
    for other in READERS:
        if other == reader:
            continue
        parsed = parse(content, other)
        if parsed.faults:
            warnings.append(f"{other} would refuse the file: {parsed.faults[0]}")
            continue
        theirs = parsed.variables
        lines = {each.name: each.line for each in own.assignments}
        for name, value in own.variables.items():
            if theirs.get(name) != value:
                different.setdefault((lines[name], f"{shown(name)} is read differently by"), []).append(other)
        for each in parsed.assignments:
            if each.name not in own.variables:
                # Its name is not shown: for this reader it may well be part of a value.
                what = f"{reader} sees no variable there, but it is one for"
                different.setdefault((each.line, what), []).append(other)
    found = sorted(different.items())
    return warnings + [f"line {line}: {what} {', '.join(readers)}" for (line, what), readers in found]
