"""From the name of a target to the typed object: which file, what overrides it, where its secrets come from."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from target import fields, rules
from target.description import Target
from target.document import DescriptionError, Document, read
from target.variables import expand, read_secrets

PREFIX = "VOICE_TARGET__"
DEMO = "demo"


def locate(option: str | None, environ: Mapping[str, str], folder: Path) -> Path:
    """The target file: `--target` (`option`), else VOICE_TARGET, else `target.yaml` in `folder`.

    `demo` means the playground in `folder/.demo`. Raises DescriptionError saying how to name one. Only the file of
    the last two ways is known to exist: `load` says what is wrong with the others.
    """
    if option is not None and not option.strip():
        raise DescriptionError("--target is empty; name a file, or leave the option out")
    named = option or environ.get("VOICE_TARGET", "").strip()
    if not named:
        path = folder / "target.yaml"
        if not path.exists():
            raise DescriptionError(
                f"no target named, and no {path}; name one with --target FILE or VOICE_TARGET=FILE, "
                "or copy target.sample.yaml to target.yaml (--target demo is the playground of `make demo`)"
            )
        return path
    if named == DEMO:
        path = folder / ".demo" / "target.yaml"
        if not path.is_file():
            raise DescriptionError(
                f"no playground in {path.parent}; run `make demo` or `python -m drills up --dir .demo` first"
            )
        return path
    return folder / Path(named).expanduser()


def load(path: Path, *, environ: Mapping[str, str], overrides: Mapping[str, str] = {}) -> Target:
    """The target of a file. `overrides` are dotted keys from the command line, which beat `VOICE_TARGET__…`.

    Host paths come back absolute. Raises DescriptionError: one line naming place, key and what to write instead.
    """
    document, from_environment = _override(read(path), environ, overrides)
    rules.no_literal_secrets(document, from_environment)
    secrets_file = _secrets_path(document, environ)
    variables = dict(environ)
    if secrets_file is not None:
        variables = read_secrets(secrets_file) | {name: value for name, value in environ.items() if value}
    data = expand(document, variables, from_environment)
    try:
        target = msgspec.convert(data, Target)
    except msgspec.ValidationError as error:
        raise fields.explain(document, data, error) from None
    if "source" in data:
        raise document.fault("source", fields.unknown("source"))
    target = rules.apply(document, target)
    return msgspec.structs.replace(
        target, source=str(path.absolute()), secrets_file=str(secrets_file) if secrets_file else None
    )


def secrets(target: Target) -> set[str]:
    """Every secret value that the target file gave: for the redactor. Reads `secrets_file` (DescriptionError)."""
    found: set[str | None] = {target.api.token}
    if target.objects is not None:
        for part in (target.objects, target.objects.write, target.objects.backup):
            found |= {part.access_key, part.secret_key} if part is not None else set()
    for url in (target.database.url, target.database.admin_url or "") if target.database else ():
        parts = urlsplit(url)
        quoted = [parts.password or "", *parse_qs(parts.query).get("password", [])]
        found |= {*quoted, *map(unquote, quoted)}
    if target.secrets_file is not None:
        found |= set(read_secrets(Path(target.secrets_file)).values())
    return {value for value in found if value}


def _secrets_path(document: Document, environ: Mapping[str, str]) -> Path | None:
    """Expanded with the process environment alone, since it is what gives the other variables."""
    named = document.data.get("secrets_file")
    if not isinstance(named, str):
        return None
    one = msgspec.structs.replace(document, data={"secrets_file": named})
    return (
        document.path.absolute().parent / Path(expand(one, environ, frozenset())["secrets_file"]).expanduser()
    )


def _override(
    document: Document, environ: Mapping[str, str], overrides: Mapping[str, str]
) -> tuple[Document, frozenset[str]]:
    """The document with everything overridden, and the keys whose values came from the environment as they are."""
    from_environment = {
        name.removeprefix(PREFIX).replace("__", ".").lower(): (name, value)
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    given = from_environment | {key: ("command line", value) for key, value in overrides.items()}
    data = copy.deepcopy(document.data)
    origins = {key: origin for key, (origin, _) in given.items()}
    document = msgspec.structs.replace(document, data=data, origins=origins)
    for key, (_, value) in given.items():
        if fields.type_at(key) is None or not key:
            raise document.fault(key, fields.unknown(key))
        _set(document, data, key, fields.from_text(key, value))
    return document, frozenset(from_environment.keys() - overrides.keys())


def _set(document: Document, data: Any, key: str, value: Any) -> None:
    *path, last = key.split(".")
    for depth, part in enumerate(path, 1):
        if isinstance(data, list):
            data = data[_index(document, data, key, part)]
        else:
            if data.get(part) is None:
                data[part] = [] if fields.is_list(".".join(path[:depth])) else {}
            data = data[part]
        if not isinstance(data, dict | list):
            raise document.fault(key, f"{part} is not a section in {document.path}")
    if isinstance(data, list):
        data[_index(document, data, key, last)] = value
    else:
        data[last] = value


def _index(document: Document, items: list[Any], key: str, part: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise document.fault(key, f"{part} is not one of the {len(items)} in {document.path}, counted from 0")
    return int(part)
