"""How the four programs read an environment file.

python-dotenv is asked itself; docker-compose 1.29 reads with it too, past a byte order mark.
"""

import io
from collections.abc import Callable, Mapping
from typing import Literal

from target import dialect_compose, dialect_systemd
from target.assignment import ELSEWHERE, Assignment, Parsed, shown

Reader = Literal["systemd", "compose", "compose-v1", "python-dotenv"]


def parse(content: bytes, reader: Reader) -> Parsed:
    """Read a file as that reader does. Bytes that are not UTF-8 come out as surrogates where the reader goes on."""
    return READERS[reader](content)


def _dotenv(content: bytes, encoding: str) -> Parsed:
    from dotenv.parser import parse_stream

    parsed = Parsed()
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding).read()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        parsed.faults.append(f"line {line}: not UTF-8, for which python-dotenv refuses the file")
        return parsed
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        line = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        if binding.error:
            parsed.lost.append(f"line {line}: not a line that python-dotenv understands")
        elif binding.key is not None and binding.value is None:
            parsed.lost.append(f"line {line}: no = in it")
        elif binding.key is not None and binding.value is not None:
            value, elsewhere = _resolve(binding.value, values)
            if elsewhere:
                parsed.lost.append(f"line {line}: {shown(binding.key)} refers to {ELSEWHERE}")
            values[binding.key] = value
            parsed.assignments.append(Assignment(line, binding.key, value))
    return parsed


def _resolve(value: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """The value with references replaced from the file alone, and whether one led elsewhere."""
    from dotenv.variables import Variable, parse_variables

    atoms = list(parse_variables(value))
    elsewhere = any(isinstance(atom, Variable) and atom.name not in known for atom in atoms)
    return "".join(atom.resolve(known) for atom in atoms), elsewhere


READERS: dict[Reader, Callable[[bytes], Parsed]] = {
    "systemd": dialect_systemd.read,
    "compose": dialect_compose.read,
    "compose-v1": lambda content: _dotenv(content, "utf-8-sig"),
    "python-dotenv": lambda content: _dotenv(content, "utf-8"),
}
