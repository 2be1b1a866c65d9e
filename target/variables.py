"""`${VARIABLE}` in a target file: from the process environment, then from the target's secrets file."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from target.document import DescriptionError, Document

_PLACE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WHOLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_STRICTEST_NEEDED = 0o077


def is_variable(text: str) -> bool:
    """Whether the text is nothing but one `${VARIABLE}`."""
    return bool(_WHOLE.fullmatch(text))


def read_secrets(path: Path) -> dict[str, str]:
    """The variables of a secrets file (dotenv format, nothing expanded inside).

    Raises DescriptionError: missing, unreadable, readable by others than its owner, not dotenv.
    """
    from dotenv.parser import parse_stream

    try:
        mode = path.stat().st_mode & 0o777
        if mode & _STRICTEST_NEEDED:
            raise DescriptionError(f"{path}: mode {mode:04o} lets others read secrets; run: chmod 600 {path}")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DescriptionError(f"{path}: no such file, but secrets_file names it") from None
    except OSError as error:
        raise DescriptionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DescriptionError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            raise DescriptionError(f"{path}:{binding.original.line}: not NAME=value")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def expand(document: Document, variables: Mapping[str, str], literal: frozenset[str]) -> dict[str, Any]:
    """The data of a document with every `${VARIABLE}` in a string value replaced; `literal` keys are left as they are.

    Raises DescriptionError naming file, key and variable when one is unset or empty.
    """

    def one(key: str, text: str) -> str:
        return text if key in literal else _PLACE.sub(_replacement(document, key, variables), text)

    def every(key: str, value: Any) -> Any:
        if isinstance(value, str):
            return one(key, value)
        if isinstance(value, dict):
            return {name: every(f"{key}.{name}" if key else name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [every(f"{key}.{index}", item) for index, item in enumerate(value)]
        return value

    return {name: every(name, value) for name, value in document.data.items()}


def _replacement(
    document: Document, key: str, variables: Mapping[str, str]
) -> Callable[[re.Match[str]], str]:
    def replacement(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "${"
        if not match["end"]:
            raise document.fault(key, "`${` without `}`; write $${ for a literal ${")
        if not _NAME.fullmatch(name):
            raise document.fault(
                key, f"${{{name}}} is not a variable; write ${{NAME}}, or $${{ for a literal ${{"
            )
        if not variables.get(name):
            state = "empty" if name in variables else "not set"
            raise document.fault(key, f"${{{name}}} is {state}; export {name}, or put it into secrets_file")
        return variables[name]

    return replacement
