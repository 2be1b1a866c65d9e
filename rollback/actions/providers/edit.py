"""Writing another order into the file that tells the service its providers: only the bytes that have to change."""

import re
from collections.abc import Iterable
from typing import Any

from rollback.errors import Refused
from target import environment
from target.description import ProviderSettings, Target
from target.dialects import Reader
from target.provider_order import (
    NAME,
    OPERATIONS,
    Order,
    OrderError,
    entries,
    is_json,
    keys_of,
    parse,
    settings_of,
)

_ASSIGNMENT = (
    rb"(?m)^(?:\xef\xbb\xbf)?[ \t]*(?:export[ \t]+)?%s[ \t]*[=:][ \t]*(?P<quote>[\"']?)"
    rb"(?P<value>[A-Za-z0-9_, \t-]*?)(?P=quote)[ \t]*(?:#[^\r\n]*)?\r?$"
)


def edited(content: bytes, target: Target, order: Order) -> bytes:
    """The bytes of the file with that order in it; all else stays as it is, comments, quotes and line ends too.

    Judged by reading it as the service does: Refused where anything else would change, or the order would not.
    """
    settings = settings_of(target)
    unfit = [name for name in order.names if not NAME.fullmatch(name)]
    if unfit:
        raise Refused(f"{unfit[0]!r} is not a name that can be written there; nothing was changed")
    if settings.file is not None:
        return _edit_settings(content, settings, order)
    assert target.environment is not None
    for operation, name in zip(OPERATIONS, keys_of(settings), strict=True):
        content = _assign(
            content, target.environment.reader, target.environment.file, name, order.of(operation)
        )
    return content


def _assign(content: bytes, reader: Reader, file: str, name: str, names: tuple[str, ...]) -> bytes:
    """The file with the variable set to a list; where it is not there yet, on a line of its own at the end."""
    before = environment.read(content, reader).variables
    if name in before and tuple(part.strip().lower() for part in before[name].split(",")) == names:
        return content
    for candidate in _candidates(content, name, names, there=name in before):
        reading = environment.read(candidate, reader)
        value = reading.variables.get(name, "")
        if (
            not reading.faults
            and value.replace(" ", "") == ",".join(names)
            and reading.variables == {**before, name: value}
        ):
            return candidate
    raise Refused(
        f"{file}: {name} is not written there in a way that can be changed without touching anything else: write "
        f"{name}={','.join(names)} by hand; nothing was changed"
    )


def _candidates(content: bytes, name: str, names: tuple[str, ...], *, there: bool) -> Iterable[bytes]:
    """The file with each line changed that looks like the assignment, the last first: of several that one counts."""
    for match in reversed(list(re.finditer(_ASSIGNMENT % re.escape(name).encode(), content))):
        comma = b", " if b", " in match["value"] else b","
        value = comma.join(each.encode() for each in names)
        yield content[: match.start("value")] + value + content[match.end("value") :]
    if not there:
        end = b"\r\n" if b"\r\n" in content else b"\n"
        head = content if not content or content.endswith(b"\n") else content + end
        yield head + f"{name}={','.join(names)}".encode() + end


def _edit_settings(content: bytes, settings: ProviderSettings, order: Order) -> bytes:
    """The file of settings with other values of `enabled` and `priority`."""
    entries(content, settings)
    wanted = parse(content, settings)
    text = content.decode()
    spans: dict[tuple[int, int], str] = {}
    for operation, key in zip(OPERATIONS, keys_of(settings), strict=True):
        listed = wanted[key]
        wanted[key] = changed = _changed(listed, order.of(operation), f"{settings.file}: {key}")
        for name, entry in changed.items():
            for word in ("enabled", "priority"):
                if listed[name][word] != entry[word]:
                    spans[_span(text, settings, (key, name, word))] = _written(entry[word])
    for (start, end), value in sorted(spans.items(), reverse=True):
        text = text[:start] + value + text[end:]
    new = text.encode()
    try:
        as_wanted = parse(new, settings) == wanted
    except OrderError:
        as_wanted = False
    if not as_wanted:
        raise Refused(
            f"{settings.file}: the providers are not written there in a way that can be changed without touching "
            f"anything else: set them by hand to {order}; nothing was changed"
        )
    return new


def _changed(listed: Any, names: tuple[str, ...], where: str) -> dict[str, dict[str, Any]]:
    """The mapping of one operation with these enabled, in that order; each priority is there once."""
    missing = [name for name in names if name not in listed]
    if missing:
        raise Refused(
            f"{where} has no {missing[0]}; it has {', '.join(listed)}: add it with `enabled` and `priority`; nothing "
            "was changed"
        )
    others = sorted((name for name in listed if name not in names), key=lambda name: listed[name]["priority"])
    found: dict[str, dict[str, Any]] = {name: dict(entry) for name, entry in listed.items()}
    for priority, name in enumerate((*names, *others), 1):
        found[name] |= {"enabled": name in names, "priority": priority}
    return found


def _span(text: str, settings: ProviderSettings, keys: tuple[str, ...]) -> tuple[int, int]:
    """Where the value at these keys stands in the text. JSON is YAML but for its tabs, which are blanks there."""
    import yaml

    node = yaml.compose(text.replace("\t", " ") if is_json(settings) else text, Loader=yaml.SafeLoader)
    for key in keys:
        found = [value for name, value in getattr(node, "value", ()) if name.value == key]
        if not found:
            raise Refused(
                f"{settings.file}: {'.'.join(keys)} is not written out there (an alias or a merge, perhaps): change it "
                "by hand; nothing was changed"
            )
        node = found[-1]
    assert node is not None
    return node.start_mark.index, node.end_mark.index


def _written(value: bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
