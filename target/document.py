"""The text of a target file: YAML with the line of every key, so that an error can name it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from target.errors import TargetError

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]  # the same interface, in Python

LARGEST = 1 << 20


class DescriptionError(TargetError):
    """A target file, or what overrides it, is not right: one line that names place, key and what to write instead."""


class Document(msgspec.Struct, frozen=True):
    """What a target file holds. `lines` maps dotted keys (`providers.0.url`) to line numbers.

    `origins` maps the keys that did not come from the file to where they came from.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[str, int]
    origins: Mapping[str, str] = {}

    def fault(self, key: str, problem: str) -> DescriptionError:
        """The error for a key: `FILE:LINE: key: problem`; the line is that of the nearest key that is there."""
        if key in self.origins:
            return DescriptionError(f"{self.origins[key]}: {key}: {problem}")
        near = key
        while near and near not in self.lines:
            near = near.rpartition(".")[0]
        place = f"{self.path}:{self.lines[near]}" if near else str(self.path)
        return DescriptionError(f"{place}: {key}: {problem}" if key else f"{place}: {problem}")


def read(path: Path) -> Document:
    """Read a target file. Raises DescriptionError, one line, for whatever keeps it from being keys and values."""
    text = _text(path)
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise DescriptionError(f"{path}: empty; copy target.sample.yaml and fill it in")
            if not isinstance(node, yaml.MappingNode):
                raise DescriptionError(f"{path}: not keys and values; start with `name: …` and `api:`")
            lines = dict(_lines(path, node, "", ()))
            data = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise DescriptionError(f"{place}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DescriptionError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise DescriptionError(
            f"{path}: a value that YAML takes for a date or number: {error}; quote it"
        ) from None
    except RecursionError:
        raise DescriptionError(f"{path}: nested too deeply for a target file") from None
    return Document(path=path, data=data, lines=lines)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            inside = path / "target.yaml"
            more = f"; name {inside}" if inside.is_file() else "; name the target file in it"
            raise DescriptionError(f"{path}: is a folder{more}")
        if path.exists() and not path.is_file():
            raise DescriptionError(f"{path}: not a regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DescriptionError(
            f"{path}: no such file; copy target.sample.yaml there and fill it in, or name another with --target FILE"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DescriptionError(f"{str(path)!r}: cannot be read: {reason}") from None
    if len(content) > LARGEST:
        raise DescriptionError(f"{path}: larger than 1 MiB; that is no target file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DescriptionError(f"{path}:{line}: not UTF-8 text; save it as UTF-8") from None


def _lines(path: Path, node: yaml.Node, key: str, above: tuple[yaml.Node, ...]) -> Iterator[tuple[str, int]]:
    if node in above:
        raise DescriptionError(f"{path}:{node.start_mark.line + 1}: {key}: refers to itself")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            inner = f"{key}.{index}"
            yield inner, item.start_mark.line + 1
            yield from _lines(path, item, inner, (*above, node))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode) or name.tag.rpartition(":")[2] not in {"str", "merge"}:
                shown = name.value if isinstance(name, yaml.ScalarNode) else "a list or mapping"
                raise DescriptionError(f"{path}:{line}: a key must be text, not {shown}; put it in quotes")
            if name.value in seen:
                raise DescriptionError(f"{path}:{line}: {name.value}: written twice; keep one of them")
            seen.add(name.value)
            inner = f"{key}.{name.value}" if key else str(name.value)
            yield inner, line
            yield from _lines(path, value, inner, (*above, node))
