"""What the person sees: narrow, plain, cut off, without Unicode, without secrets."""

import io
import re

import pytest

from rollback.progress import Progress
from target.redact import Redactor


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(width, stream=None, secrets=()):
    stream = stream or io.StringIO()
    progress = Progress(stream, Redactor(secrets), width=width)
    progress.line("prod · Level 1 · environment of 2.3.1 (.env.previous, 2026-11-20 09:12) · budget 10 min")
    progress.entry("1 set aside .env", ".env.failed.20261123T140210Z", 0.1)
    progress.entry("4 prove", "process started 14:02:13, after the switch · serves 2.3.1 a1b2c3d", 0.2)
    return stream


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_line_fits(width):
    lines = shown(width).getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "serves 2.3.1 a1b2c3d" in " ".join(" ".join(lines).split())


def test_wide_is_a_line_a_step():
    assert shown(110).getvalue().splitlines()[1:] == [
        "  1 set aside .env           .env.failed.20261123T140210Z" + " " * 48 + "0.1 s",
        "  4 prove                    process started 14:02:13, after the switch · serves 2.3.1 a1b2c3d"
        + " " * 11
        + "0.2 s",
    ]


def test_ascii_where_the_stream_takes_no_more():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")  # kept: it closes `raw` when it goes
    shown(100, stream)
    assert b"prod - Level 1 - environment" in raw.getvalue()


def test_a_reader_that_went_away_stops_nothing():
    class Closed(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    shown(80, Closed())


def test_no_colour_and_no_control_characters_into_a_pipe():
    stream = io.StringIO()
    progress = Progress(stream, Redactor(), width=80)
    with progress.running("3 restart") as report:
        report("attempt 1")
    progress.line("FAILED", "bad")
    assert stream.getvalue() == "FAILED\n"


def test_no_colour_is_obeyed_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for no_colour, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_colour)
        stream = Terminal()
        Progress(stream, Redactor(), width=80).line("FAILED", "bad")
        assert ("\x1b[31m" in stream.getvalue()) == coloured


def test_the_running_step_shows_on_a_terminal_and_leaves_nothing(monkeypatch):
    from target.wait import Seen, eventually

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = Progress(stream, Redactor(["swordfish"]), width=60)
    with progress.running("3 restart") as report:
        report("attempt 2: password swordfish")
        assert eventually(lambda: Seen(met="attempt 2" in stream.getvalue(), seen=""), deadline_s=5).met
    text = stream.getvalue()
    assert re.search(r"3 restart  \d\.\d s  attempt 2: password ••••", text)
    assert text.endswith("\r\x1b[2K")


def test_a_secret_is_masked_before_the_line_is_wrapped():
    stream = io.StringIO()
    progress = Progress(stream, Redactor(["two words secret"]), width=40)
    for room in range(20, 40):
        progress.line("x" * room + " two words secret")
        progress.entry("step", "x" * room + " two words secret")
    assert "two" not in stream.getvalue()
