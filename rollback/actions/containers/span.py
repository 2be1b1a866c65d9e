"""Where a compose file says the image of a service, to the byte, and the same file with another image there.

Positions come from the YAML parser's own marks. Whatever the edit, the file is parsed again: it has to read the same,
event by event, but for that one value.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

_STRING = "tag:yaml.org,2002:str"


class NoPlaceError(Exception):
    """Why the image of the service cannot be written into this file."""


class Edit(msgspec.Struct, frozen=True):
    """Replace the bytes from `start` to `end` by `text`; `own` when the service had an image of its own there."""

    start: int
    end: int
    text: str
    own: bool

    def of(self, content: bytes) -> bytes:
        """The content with the edit made."""
        return content[: self.start] + self.text.encode() + content[self.end :]


class _Node:
    """An event of the parser, with what lies inside: keys and values in turn for a mapping."""

    def __init__(self, event: Any) -> None:
        self.event = event
        self.parts: list[_Node] = []

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.event, yaml.MappingStartEvent)

    def value(self, key: str) -> "_Node | None":
        """The value at a key that is written here (not merged in); None when there is none."""
        pairs = zip(self.parts[::2], self.parts[1::2], strict=True)
        found = [value for name, value in pairs if getattr(name.event, "value", None) == key]
        if len(found) > 1:
            raise NoPlaceError(f"line {found[1].line} has the key {key!r} a second time")
        return found[0] if found else None

    @property
    def line(self) -> int:
        return int(self.event.start_mark.line) + 1

    @property
    def start(self) -> int:
        return int(self.event.start_mark.index)

    @property
    def end(self) -> int:
        return int(self.event.end_mark.index)


def edit(content: bytes, service: str, image: str) -> Edit:
    """The smallest change that gives the service this image. Raises NoPlaceError, also where it is not in the file."""
    text = _text(content)
    node = _service(text, service)
    own = node.value("image")
    start, end, new = _insertion(text, node, image) if own is None else (*_value_span(text, own), image)
    changed = text[:start] + new + text[end:]
    if not _differs_only_there(text, changed, image, inserted=own is None):
        raise NoPlaceError(
            f"line {node.line}: the image of {service} is written in a way that cannot be changed"
        )
    before = len(text[:start].encode())
    return Edit(before, before + len(text[start:end].encode()), new, own is not None)


def profiles(content: bytes) -> set[str]:
    """Every profile that a service of the file names. Raises NoPlaceError when the file cannot be read."""
    services = _root(_text(content)).value("services")
    found: set[str] = set()
    for node in [] if services is None else services.parts[1::2]:
        named = node.value("profiles") if node.is_mapping else None
        if named is not None:
            found.update(part.event.value for part in named.parts if isinstance(part.event, yaml.ScalarEvent))
    return found


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NoPlaceError(f"line {line}: not UTF-8") from None


def _service(text: str, service: str) -> _Node:
    services = _root(text).value("services")
    if services is None or not services.is_mapping:
        raise NoPlaceError("no services are written in it")
    node = services.value(service)
    if node is None:
        raise NoPlaceError(f"no service {service} is written in it")
    if not node.is_mapping:
        raise NoPlaceError(f"line {node.line}: {service} has no lines of its own there")
    return node


def _root(text: str) -> _Node:
    try:
        documents = _tree(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise NoPlaceError(f"{place}not YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
    if len(documents) != 1:
        raise NoPlaceError(f"{len(documents)} YAML documents are in it, not one")
    if not documents[0].is_mapping:
        raise NoPlaceError("it is not a mapping")
    return documents[0]


def _tree(text: str) -> list[_Node]:
    root = _Node(None)
    stack = [root]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            stack[-1].parts.append(_Node(event))
            stack.append(stack[-1].parts[-1])
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            stack[-1].parts.append(_Node(event))
    return root.parts


def _value_span(text: str, node: _Node) -> tuple[int, int]:
    """The characters of the value itself: an alias whole, a scalar without its quotes, anchor and tag."""
    event = node.event
    if isinstance(event, yaml.AliasEvent):
        return node.start, node.end
    if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, _STRING):
        raise NoPlaceError(f"line {node.line}: the image is not a string")
    start, end = _token(text, node)
    if event.style in ("'", '"'):
        return start + 1, end - 1
    if event.style is None:
        return start, end
    value, raw = event.value.strip(), text[start:end]
    if value and raw.count(value) == 1:
        at = start + raw.index(value)
        return at, at + len(value)
    raise NoPlaceError(f"line {node.line}: the image is a block of text")


def _token(text: str, node: _Node) -> tuple[int, int]:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken) and token.end_mark.index == node.end:
            return token.start_mark.index, token.end_mark.index
    raise NoPlaceError(f"line {node.line}: the image is empty")


def _insertion(text: str, node: _Node, image: str) -> tuple[int, int, str]:
    """Before the service's first key: its own image beats one that is merged in, extended or built."""
    if not node.parts:
        raise NoPlaceError(f"line {node.line}: the service has nothing in it")
    first = node.parts[0].event
    at = first.start_mark.index
    if node.event.flow_style:
        quote = '"' if getattr(first, "style", None) == '"' else ""
        return at, at, f"{quote}image{quote}: {quote}{image}{quote}, "
    indent = text[at - first.start_mark.column : at]
    if indent.strip(" "):
        raise NoPlaceError(f"line {node.line}: the service has no lines of its own there")
    ending = text.find("\n", at)
    newline = "\r\n" if ending > 0 and text[ending - 1] == "\r" else "\n"
    return at, at, f"image: {image}{newline}{indent}"


def _differs_only_there(before: str, after: str, image: str, *, inserted: bool) -> bool:
    try:
        old, new = list(_readings(before)), list(_readings(after))
    except yaml.YAMLError:
        return False
    at = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old))
    if old == new:
        return True  # it was that image already
    if inserted:
        return [each[-1] for each in new[at : at + 2]] == ["image", image] and new[at + 2 :] == old[at:]
    return str(new[at][-1]).rstrip("\n") == image and new[at + 1 :] == old[at + 1 :] and len(new) == len(old)


def _readings(text: str) -> Iterator[tuple[Any, ...]]:
    """What the parser makes of the text, without where it found it."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        value = getattr(event, "value", None)
        yield (type(event), getattr(event, "anchor", None), getattr(event, "tag", None), value)
