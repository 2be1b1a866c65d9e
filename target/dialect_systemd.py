"""systemd's reader of `EnvironmentFile=`, as of version 254; written from systemd.exec(5) and what its parser does.

Compared with the parser of version 252 through its own environment.d generator, which shares it. There a comment that
ends with a backslash goes on in the next line: such a line is pointed out.
"""

import re
from typing import Protocol

from target.assignment import Assignment, Parsed, damaged, shown

_NEWLINE = "\n\r"
_BLANK = " \t\n\r"
_ESCAPABLE = '"\\`$'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class State(Protocol):
    """Takes a character and tells which state takes the next."""

    def __call__(self, char: str, /) -> "State": ...


class _Systemd:
    """systemd's reader, a character at a time: each state takes one and tells the next state."""

    def __init__(self) -> None:
        self.parsed = Parsed()
        self.line = 1
        self.began = 1
        self.name = ""
        self.value: list[str] = []
        self.solid = 0  # so many characters of the value stay when trailing blanks go

    def read(self, text: str) -> Parsed:
        state: State = self.before_name
        for char in text:
            state = state(char)
            self.line += char == "\n"
        if state in (self.single, self.double, self.double_escape):
            self.parsed.faults.append(f"line {self.began}: {shown(self.name)}: a quote is never closed")
        if state == self.in_name:
            self.lose("no = in it")
        elif state in (self.before_value, self.in_value):
            self.push(self.solid)
        elif state not in (self.before_name, self.comment, self.comment_escape):
            self.push(len(self.value))
        return self.parsed

    def before_name(self, char: str) -> State:
        if char in "#;":
            return self.comment
        if char in _BLANK:
            return self.before_name
        self.began, self.name, self.value, self.solid = self.line, char, [], 0
        return self.in_name

    def in_name(self, char: str) -> State:
        if char in _NEWLINE:
            self.lose("no = in it")
            return self.before_name
        if char == "=":
            return self.before_value
        self.name += char
        return self.in_name

    def before_value(self, char: str) -> State:
        if char in _NEWLINE:
            return self.push(self.solid)
        quotes = {"'": self.single, '"': self.double, "\\": self.escape}
        if char in quotes:
            return quotes[char]
        if char in _BLANK:
            return self.before_value
        return self.keep(char, self.in_value)

    def in_value(self, char: str) -> State:
        if char in _NEWLINE:
            return self.push(self.solid)
        if char == "\\":
            self.solid = len(self.value)
            return self.escape
        if char not in _BLANK:
            return self.keep(char, self.in_value)
        self.value.append(char)
        return self.in_value

    def escape(self, char: str) -> State:
        return self.in_value if char in _NEWLINE else self.keep(char, self.in_value)

    def single(self, char: str) -> State:
        return self.before_value if char == "'" else self.keep(char, self.single)

    def double(self, char: str) -> State:
        states = {'"': self.before_value, "\\": self.double_escape}
        return states[char] if char in states else self.keep(char, self.double)

    def double_escape(self, char: str) -> State:
        if char == "\n":
            return self.double
        return self.keep(char if char in _ESCAPABLE else "\\" + char, self.double)

    def comment(self, char: str) -> State:
        if char == "\\":
            return self.comment_escape
        return self.before_name if char in _NEWLINE else self.comment

    def comment_escape(self, char: str) -> State:
        if char not in _NEWLINE:
            return self.comment
        self.lose("a comment that ends with a backslash goes on in the next line for systemd before 254")
        return self.before_name

    def keep(self, char: str, state: State) -> State:
        self.value.append(char)
        self.solid = len(self.value)
        return state

    def lose(self, why: str) -> None:
        line = self.line if why.startswith("a comment") else self.began
        self.parsed.lost.append(f"line {line}: {why}")

    def push(self, length: int) -> State:
        name = self.name.rstrip(_BLANK)
        value = "".join(self.value[:length])
        if damaged(name + value):
            self.parsed.faults.append(
                f"line {self.began}: {shown(name)}: not UTF-8, for which systemd refuses the file"
            )
        elif _NAME.fullmatch(name):
            self.parsed.assignments.append(Assignment(self.began, name, value))
        else:
            self.parsed.lost.append(f"line {self.began}: {shown(name)}: not a name of a variable for systemd")
        return self.before_name


def read(content: bytes) -> Parsed:
    """Read a file as systemd does; a name or value that is not UTF-8 makes it refuse the file."""
    return _Systemd().read(content.decode("utf-8", "surrogateescape"))
