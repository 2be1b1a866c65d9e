"""What compose v2 makes of `$` in a value: `$$`, `$NAME`, `${NAME}`, and `${NAME…}` with `:-` `-` `:+` `+` `:?` `?`."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"\$(?i:(?P<escaped>\$)|(?P<named>[_a-z][_a-z0-9]*)|\{(?:(?P<braced>[_a-z][_a-z0-9]*(?::?[-+?].*)?)\}|(?P<invalid>)))"
)
_OPERATORS = (":?", "?", ":-", "-", ":+", "+")


class NotATemplateError(Exception):
    """The value cannot be expanded; the message holds no value."""


class Interpolation:
    """Expands references to the variables that were read so far; `unknown` collects the names of others."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self.unknown: set[str] = set()

    def expand(self, template: str) -> str:
        """Raises NotATemplateError: a `${` that is no reference, or a required variable without a value."""
        return _REFERENCE.sub(lambda match: self._replace(match[0]), template)

    def _replace(self, found: str) -> str:
        # A match reaches to the last brace of the line: what follows its own closing brace is expanded by itself.
        closing = _closing_brace(found)
        own, rest = (found, "") if closing < 0 else (found[: closing + 1], found[closing + 1 :])
        match = _REFERENCE.match(own)
        if match is None or not (match["escaped"] or match["named"] or match["braced"]):
            raise NotATemplateError("a ${ that compose cannot expand")
        if match["escaped"]:
            return "$"
        if match["braced"]:
            applied = self._braced(match["braced"], own)
            if applied is not None:
                return applied + self.expand(rest)
        return self._value(match["named"] or match["braced"]) or ""

    def _braced(self, reference: str, whole: str) -> str | None:
        """A reference with an operator; None where it has none."""
        found = [
            (whole.find(operator), rank) for rank, operator in enumerate(_OPERATORS) if operator in whole
        ]
        if not found:
            return None
        operator = _OPERATORS[min(found)[1]]
        name, separator, argument = reference.partition(operator)
        if not separator:
            return None
        argument = self.expand(argument)
        value = self._known.get(name)
        good = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("?"):
            if not good:
                raise NotATemplateError("a variable that is required has no value")
            return value
        if operator.endswith("+"):
            return argument if good else value or ""
        return value if good else argument

    def _value(self, name: str) -> str | None:
        if name not in self._known:
            self.unknown.add(name)
        return self._known.get(name)


def _closing_brace(text: str) -> int:
    """Where the first brace that opens is closed, -1 when it is not; the character after an opening one is skipped."""
    depth, at = 0, 0
    while at < len(text):
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        elif text[at] == "{":
            depth += 1
            at += 1
        at += 1
    return -1
