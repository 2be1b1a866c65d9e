"""compose v2's reader of `.env` and `env_file:`, written from the grammar of compose-go's dotenv.

Compared with compose-go 2.9 itself, which compose 2.40 reads with.
"""

import re
import unicodedata

from target.assignment import ELSEWHERE, Assignment, Parsed, damaged, shown
from target.interpolation import Interpolation, NotATemplateError

BOM = "\ufeff"

# What Go's unicode.IsSpace and compose-go's isSpace take for blank; Python's own idea of it is a little wider.
_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_LINE_SPACE = "\t\v\f\r \x85\xa0"
_EXPORT = re.compile(r"export[\t\n\f\r ]+")
_ESCAPES = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPED = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    '"': '"',
    "\\": "\\",
    "$": "$$",
}


class _RefusedError(Exception):
    """The reader gives up on the file."""


class _Compose:
    """compose-go's reader."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.refers_elsewhere = False
        self.parsed = Parsed()

    def read(self) -> Parsed:
        try:
            while self.skip_blank():
                self.statement()
        except (_RefusedError, NotATemplateError) as error:
            self.parsed.faults.append(f"line {self.line()}: {error}")
        return self.parsed

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def skip_blank(self) -> bool:
        """Go to the next statement; False at the end of the file."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in _GO_SPACE:
                self.at += 1
            else:
                return True
        return False

    def statement(self) -> None:
        line = self.line()
        start = self.at
        self.refers_elsewhere = False
        name, inherited = self.take_name()
        if " " in name:
            self.at = start
            raise _RefusedError("a space in the name of a variable")
        if inherited:
            if name:
                self.parsed.lost.append(
                    f"line {line}: no = in it: compose takes that variable from its surroundings"
                )
            return
        value = self.take_value()
        if self.refers_elsewhere:
            self.parsed.lost.append(f"line {line}: {shown(name)} refers to {ELSEWHERE}")
        if not name or damaged(value):
            fault = "no name" if not name else f"{shown(name)}: not UTF-8"
            self.parsed.faults.append(f"line {line}: {fault}")
            return
        self.parsed.assignments.append(Assignment(line, name, value))

    def take_name(self) -> tuple[str, bool]:
        match = _EXPORT.match(self.text, self.at)
        if match:
            self.at += len("export")
            self.skip(_LINE_SPACE)
        for end in range(self.at, len(self.text)):
            char = self.text[end]
            if char in "=:\n":
                name = self.text[self.at : end].rstrip(_GO_SPACE)
                self.at = end + 1
                self.skip(_LINE_SPACE)
                return name, char == "\n"
            if char not in _LINE_SPACE and char not in "_.-[]" and not (char.isalpha() or _is_number(char)):
                raise _RefusedError("a character in the name of a variable that compose does not take there")
        return "", False

    def skip(self, chars: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in chars:
            self.at += 1

    def take_value(self) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote not in ("'", '"'):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            raw = self.text[self.at : end].split(" #", 1)[0].rstrip(_GO_SPACE)
            value = self.expand(raw)
            self.at = min(end + 1, len(self.text))
            return value
        body, end = self.quoted(quote)
        value = self.expand(_ESCAPES.sub(_unescape, body)) if quote == '"' else body
        self.at = end
        return value

    def quoted(self, quote: str) -> tuple[str, int]:
        """The text up to the closing quote, backslashes kept but for those before quotes, and where it ends."""
        chars: list[str] = []
        escaped = False
        for end in range(self.at + 1, len(self.text)):
            char = self.text[end]
            if char == quote and not escaped:
                return "".join(chars), end + 1
            if char == "\\" and not escaped:
                escaped = True
                continue
            chars.append(char if char == quote or not escaped else "\\" + char)
            escaped = False
        raise _RefusedError("a quote is never closed")

    def expand(self, raw: str) -> str:
        interpolation = Interpolation(self.parsed.variables)
        value = interpolation.expand(raw)
        self.refers_elsewhere = bool(interpolation.unknown)
        return value


def _is_number(char: str) -> bool:
    return unicodedata.category(char).startswith("N")


def _unescape(match: re.Match[str]) -> str:
    digits = match[0][2:] if match[0][1] == "0" else None
    if digits is None:
        return _ESCAPED.get(match[0][1], match[0])
    if re.fullmatch("[0-3][0-7]{2}", digits):
        return chr(int(digits, 8))
    return "\\" + digits


def read(content: bytes) -> Parsed:
    """Read a file as compose v2 does, `$` expanded from the file alone."""
    return _Compose(content.decode("utf-8", "surrogateescape").removeprefix(BOM)).read()
