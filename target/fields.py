"""The keys that a target file may have, by dotted path, and what is said of one that is wrong."""

import difflib
import re
from typing import Any

import msgspec
from msgspec import inspect

from target.description import Target
from target.document import DescriptionError, Document

_UNKNOWN = re.compile(r"unknown field `(?P<name>.*?)`(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>.*?)`(?: - at `\$(?P<path>.*)`)?$")
_TYPE = re.compile(r"Expected `(?P<wanted>.*?)`(?:, got `(?P<got>.*?)`)?(?: - at `\$(?P<path>.*)`)?$")
_CHOICE = re.compile(r"Invalid enum value '?(?P<got>.*?)'? - at `\$(?P<path>.*)`$", re.DOTALL)
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "nothing",
}
_SET_BY_LOADING = frozenset({"source"})


def type_at(key: str) -> inspect.Type | None:
    """The type of the value at a dotted key (`api.url`, `hosts.0`), None when there is no such key."""
    here: inspect.Type | None = inspect.type_info(Target)
    for part in key.split(".") if key else ():
        match _plain(here):
            case inspect.StructType(fields=fields) as struct:
                hidden = _SET_BY_LOADING if struct.cls is Target else frozenset[str]()
                here = next((f.type for f in fields if f.name == part and part not in hidden), None)
            case inspect.VarTupleType(item_type=item) if part.isdecimal():
                here = item
            case inspect.DictType(value_type=value):
                here = value
            case _:
                return None
    return here


def is_list(key: str) -> bool:
    """Whether a list stands at a dotted key."""
    return any(isinstance(kind, inspect.VarTupleType) for kind in _alternatives(type_at(key)))


def known(key: str) -> list[str]:
    """The names that may stand below a dotted key; empty where any name may, or none."""
    at = _plain(type_at(key))
    if not isinstance(at, inspect.StructType):
        return []
    return [f.name for f in at.fields if key or f.name not in _SET_BY_LOADING]


def unknown(key: str) -> str:
    """What to say of a key that does not exist."""
    parent, _, name = key.rpartition(".")
    while parent and not known(parent) and type_at(parent) is None:
        parent, _, name = parent.rpartition(".")
    names = known(parent)
    if not names:
        return f"unknown key; {parent} has no keys of its own"
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"unknown key; {guess}(known: {', '.join(names)})"


def from_text(key: str, text: str) -> Any:
    """The value that a text from the command line or the environment gives a key.

    A text key takes it as it is; others read it as YAML; a list key also takes its one item bare.
    """
    import yaml

    kinds = _alternatives(type_at(key))
    if any(isinstance(kind, inspect.StrType) for kind in kinds):
        truth = {"true": True, "false": False} if any(isinstance(k, inspect.BoolType) for k in kinds) else {}
        return truth.get(text.strip().lower(), text)
    if any(isinstance(kind, inspect.LiteralType) for kind in kinds):
        return text
    if is_list(key) and not text.lstrip().startswith("["):
        return [text]
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def explain(document: Document, data: dict[str, Any], error: msgspec.ValidationError) -> DescriptionError:
    """The one line for what msgspec found wrong in `data`."""
    message = str(error)
    if found := _UNKNOWN.search(message):
        key = _join(found["path"], found["name"])
        return document.fault(key, unknown(key))
    if found := _MISSING.search(message):
        key = _join(found["path"], found["name"])
        return document.fault(key, f"missing; write `{found['name']}: {_sample(key)}`")
    if found := _CHOICE.search(message):
        key = _join(found["path"])
        choices = [str(v) for kind in _alternatives(type_at(key)) for v in _values(kind)]
        return document.fault(key, f"{found['got']!r} is not one of: {', '.join(choices)}")
    if found := _TYPE.search(message):
        key = _first_wrong(data, _join(found["path"]))
        return document.fault(key, _wrong_type(key, found["wanted"], found["got"] or "something else"))
    return document.fault("", message)


def _wrong_type(key: str, wanted: str, got: str) -> str:
    kinds = [kind.strip() for kind in wanted.split("|")]
    words = " or ".join(dict.fromkeys(_WORDS.get(kind, kind) for kind in kinds if kind != "null"))
    name = key.rpartition(".")[2]
    if "str" in kinds and got not in {"array", "object", "null"}:
        return f"must be {words}; put the value in quotes"
    return f"must be {words}, not {_WORDS.get(got, got)}; write e.g. `{name}: {_sample(key)}`"


def _first_wrong(data: Any, key: str) -> str:
    """msgspec does not name the key of a dict's value (`criteria[...]`): find it."""
    if not key.endswith("[...]"):
        return key
    key = key.removesuffix("[...]")
    values = data
    for part in key.split("."):
        values = values[part]
    wrong = next((name for name, value in values.items() if not isinstance(value, str | bool)), "")
    return f"{key}.{wrong}"


def _sample(key: str) -> str:
    for kind in _alternatives(type_at(key)):
        match kind:
            case inspect.LiteralType(values=values):
                return str(values[0])
            case inspect.StructType(fields=fields):
                required = [f.name for f in fields if f.required]
                return "{" + ", ".join(f"{name}: …" for name in required) + "}"
            case inspect.VarTupleType():
                return "[…]"
            case inspect.BoolType():
                return "true"
            case inspect.IntType() | inspect.FloatType():
                return "10"
            case _:
                continue
    return "http://HOST:PORT" if key.endswith("url") else "…"


def _values(kind: inspect.Type) -> tuple[object, ...]:
    return tuple(kind.values) if isinstance(kind, inspect.LiteralType) else ()


def _alternatives(kind: inspect.Type | None) -> list[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        return [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    return [] if kind is None else [kind]


def _plain(kind: inspect.Type | None) -> inspect.Type | None:
    kinds = _alternatives(kind)
    return kinds[0] if len(kinds) == 1 else None


def _join(path: str | None, name: str = "") -> str:
    key = re.sub(r"\[(\d+)\]", r".\1", path or "")
    return ".".join(part for part in (key.lstrip("."), name) if part)
