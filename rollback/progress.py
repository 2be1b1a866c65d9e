"""What the person sees while an action runs: a line a step, with its evidence and how long it took."""

import contextlib
import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rollback import clock
from target.redact import Redactor

_NAME = 26
_NARROW = 72
_PLAIN = {"·": "-", "…": "...", "—": "-", "→": "->", "•": "*", "×": "x", "✓": "ok", "✗": "x"}
_COLOURS = {"bad": "31", "good": "32", "doubt": "33", "": ""}


class Progress:
    """Lines on a stream (None: silence). Text that the stream's encoding cannot take is spelled in ASCII.

    On a terminal the running step is shown with the time it has taken; into a pipe or a file only whole lines go. A
    reader that goes away (`| head`) does not stop an action that has begun: the journal tells the rest.
    """

    def __init__(self, stream: TextIO | None, redactor: Redactor, *, width: int | None = None) -> None:
        self._stream = stream
        self._redactor = redactor
        self._live = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._live and not os.environ.get("NO_COLOR")
        self._width = width or _width(stream)
        self._lock = threading.Lock()

    def line(self, text: str = "", tone: str = "") -> None:
        """A line of its own, wrapped at the width with its indent kept."""
        text = self._redactor.text(text)  # before wrapping, which could cut a secret in two
        indent = " " * (len(text) - len(text.lstrip()))
        self._write(self._wrapped(text.lstrip(), indent, indent + "  " if text else ""), tone)

    def error(self, text: str) -> None:
        """What went wrong, on one line however long, so that it can be searched for and copied."""
        self._write([self._redactor.text(" ".join(text.split()))], "bad")

    def lines(self, texts: Iterator[str] | list[str], tone: str = "") -> None:
        """Several lines."""
        for text in texts:
            self.line(text, tone)

    def command(self, text: str) -> None:
        """A line with a command to copy: however long, it is not cut, so that it stays whole."""
        self._write([self._redactor.text(text)], "")

    def entry(self, name: str, evidence: str, seconds: float | None = None, tone: str = "") -> None:
        """A step's line: name, evidence, duration."""
        took = "" if seconds is None else clock.length(seconds)
        evidence = self._redactor.text(evidence)
        if self._width < _NARROW:
            head = f"  {name}" + (f"  {took}" if took else "")
            self._write([head, *self._wrapped(evidence, "      ", "      ")], tone)
            return
        room = self._width - _NAME - 3 - 10
        first, *rest = self._wrap(evidence, room) or [""]
        name = f"  {name}".ljust(_NAME + 2)
        self._write(
            [f"{name} {first.ljust(room)} {took:>9}".rstrip(), *(" " * (_NAME + 3) + more for more in rest)],
            tone,
        )

    def brief(self, name: str, text: str) -> None:
        """As `entry`, on one line, cut to the width."""
        head = f"  {name}".ljust(_NAME + 2) if self._width >= _NARROW else f"  {name} "
        self._write([self._fit(f"{head} {self._redactor.text(' '.join(text.split()))}", self._width)], "")

    def notice(self, text: str, tone: str) -> None:
        """As `line`, while a step is running."""
        if self._live:
            self._put("\r\x1b[2K")
        self.line(text, tone)

    @contextlib.contextmanager
    def running(self, name: str, of: Callable[[], str] = lambda: "") -> Iterator[Callable[[str], None]]:
        """Show a step that runs; gives a function that tells how it goes. The step's `entry` comes after.

        `of` says how much of the whole is used (`12.3 s of 10 min`).
        """
        if not self._live:
            yield lambda _: None
            return
        started = time.monotonic()
        says = [""]
        over = threading.Event()

        def draw() -> None:
            while not over.wait(0.1):
                took = clock.length(time.monotonic() - started)
                whole = f" ({of()})" if of() else ""
                text = self._fit(f"  {name}  {took}{whole}  {self._redactor.text(says[0])}", self._width - 1)
                self._put(f"\r\x1b[2K{text}")

        drawer = threading.Thread(target=draw, daemon=True)
        drawer.start()
        try:
            yield lambda text: says.__setitem__(0, text)
        finally:
            over.set()
            drawer.join(timeout=5)
            self._put("\r\x1b[2K")

    def ask(self, question: str) -> str:
        """Ask the person at the terminal; the answer without blanks around it, empty at the end of input."""
        self._put(self._spell(question + " "))
        return sys.stdin.readline().strip()

    def _wrapped(self, text: str, first: str, rest: str) -> list[str]:
        lines = self._wrap(text, max(20, self._width - len(rest)))
        return [first + lines[0], *(rest + line for line in lines[1:])] if lines else [first]

    @staticmethod
    def _wrap(text: str, room: int) -> list[str]:
        return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)

    @staticmethod
    def _fit(text: str, room: int) -> str:
        return text if len(text) <= room else text[: room - 1] + "…"

    def _write(self, lines: list[str], tone: str) -> None:
        start, end = (f"\x1b[{_COLOURS[tone]}m", "\x1b[0m") if self._colour and tone else ("", "")
        self._put("".join(f"{start}{line}{end}\n" for line in lines))

    def _put(self, text: str) -> None:
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(self._spell(text))
                self._stream.flush()
            except OSError:
                self._stream = None

    def _spell(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            for sign, plain in _PLAIN.items():
                text = text.replace(sign, plain)
            return text.encode(encoding, "backslashreplace").decode(encoding)
        return text


def _width(stream: TextIO | None) -> int:
    """Columns of the terminal, `COLUMNS` where that is set, 100 for a file or a pipe."""
    if os.environ.get("COLUMNS", "").isdecimal() or (stream is not None and stream.isatty()):
        return max(20, min(120, shutil.get_terminal_size((100, 24)).columns))
    return 100
