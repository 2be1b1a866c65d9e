"""Environment files as their four readers see them.

The table's column for systemd was compared with systemd 252, the one for compose with compose-go 2.9; python-dotenv is
asked here.
"""

import io
import os
import re
from typing import get_args

import dotenv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target.environment import Reader, differences, read

READERS: tuple[Reader, ...] = get_args(Reader)

# What systemd, compose and python-dotenv (docker-compose 1.29 by it) make of `A`; None: it is not set, or refused.
TABLE: list[tuple[str, str | None, str | None, str | None]] = [
    ("A=1", "1", "1", "1"),
    ("A=", "", "", ""),
    ("A = 1 ", "1", "1", "1"),
    ('A="1" # c', "1# c", "1", "1"),
    ("A=1 # c", "1 # c", "1", "1"),
    ("A=1#c", "1#c", "1#c", "1#c"),
    ("export A=1", None, "1", "1"),
    ("A: 1", None, "1", None),
    ("A='it''s'", "its", None, None),
    (r"A='a\nb'", r"a\nb", r"a\nb", r"a\nb"),
    (r'A="a\nb"', r"a\nb", "a\nb", "a\nb"),
    (r'A="a\"b"', 'a"b', 'a"b', 'a"b'),
    (r"A=a\nb", "anb", r"a\nb", r"a\nb"),
    ("A=a\\\nb", "ab", None, "a\\"),
    ('A="1\n2"', "1\n2", "1\n2", "1\n2"),
    ("A=pa$$word", "pa$$word", "pa$word", "pa$$word"),
    ("A=pa$word", "pa$word", "pa", "pa$word"),
    ("A='pa$word'", "pa$word", "pa$word", "pa$word"),
    ("B=x\nA=${B}y", "${B}y", "xy", "xy"),
    ("A=${B:-d}", "${B:-d}", "d", "d"),
    ("A=${", "${", None, "${"),
    ("; A=1\nB=2", None, None, None),
    ("# A=1\nB=2", None, None, None),
    ("A=1\nA=2", "2", "2", "2"),
    ("A=1\r\nB=2\r\n", "1", "1", "1"),
    ("A=значение", "значение", "значение", "значение"),
    (r'A="\0101"', r"\0101", "A", r"\0101"),
    ('A="open', None, None, None),
]


@pytest.mark.parametrize(("text", "systemd", "compose", "python_dotenv"), TABLE)
def test_what_each_reader_makes_of_it(
    text: str, systemd: str | None, compose: str | None, python_dotenv: str | None
) -> None:
    seen = {}
    for reader in READERS:
        reading = read(text.encode(), reader)
        seen[reader] = None if reading.faults else reading.variables.get("A")
    assert seen == {
        "systemd": systemd,
        "compose": compose,
        "compose-v1": python_dotenv,
        "python-dotenv": python_dotenv,
    }


@pytest.mark.parametrize(
    ("content", "readers", "fault"),
    [
        (b"", READERS, "holds no variables"),
        (b"# only a comment\n\n", READERS, "holds no variables"),
        (b"B=1\nA=caf\xe9\n", READERS, r"line 2: .*not UTF-8"),
        (b"B=1\nA=\x001\n", READERS, "line 2: a NUL byte"),
        (b"\xef\xbb\xbfA=1\n", ("systemd", "python-dotenv"), "byte order mark"),
        (b'B=1\nA="open\nC=2\n', ("systemd", "compose"), r"line 2: .*a quote is never closed"),
        (b"B=1\nA=" + b"x" * (128 * 1024) + b"\n", READERS, "line 2: A is longer than 128 kB"),
        (b"A B=1\n", ("compose",), "line 1: a space in the name"),
        (b"A/B=1\n", ("compose",), "line 1: a character in the name"),
        (b"A=${Q:?say why}\n", ("compose",), "a variable that is required has no value"),
    ],
)
def test_faults(content: bytes, readers: tuple[Reader, ...], fault: str) -> None:
    for reader in readers:
        assert any(re.search(fault, each) for each in read(content, reader).faults), (
            reader,
            read(content, reader),
        )


def test_compose_reads_past_a_byte_order_mark() -> None:
    for reader in ("compose", "compose-v1"):
        reading = read(b"\xef\xbb\xbfA=1\n", reader)
        assert (reading.variables, reading.faults) == ({"A": "1"}, ())


def test_the_longest_value_that_starts() -> None:
    longest = b"A=" + b"x" * (128 * 1024 - 3) + b"\n"
    assert read(longest, "systemd").faults == ()
    assert read(longest.replace(b"A=", b"A=x"), "systemd").faults != ()


@pytest.mark.parametrize(
    ("content", "reader", "warning"),
    [
        (b"A=1\nexport B=2\n", "systemd", "line 2: export B: not a name of a variable for systemd"),
        (b"A=1\nB\n", "systemd", "line 2: no = in it"),
        (
            b"A=1\nB\nC=3\n",
            "compose",
            "line 2: no = in it: compose takes that variable from its surroundings",
        ),
        (b"A=1\nB='x\nC=2\n", "python-dotenv", "line 2: not a line that python-dotenv understands"),
        (b"A=1\nA=2\n", "compose", "line 2: A has another value than on line 1; the last counts"),
        (b"A=1\r\n", "systemd", "lines end with CRLF; systemd takes the CR for part of the line end"),
        (b'A="1\r\n2"\r\n', "systemd", "line 1: A holds a carriage return"),
        (b"B=1\n\nA=pa$$word\n", "systemd", "line 3: A is read differently by compose"),
        (b'A="1" # c\n', "systemd", "line 1: A is read differently by compose, compose-v1, python-dotenv"),
        (b"A=1\nexport B=2\n", "compose", "line 2: B is read differently by systemd"),
        (b"A=1\nB: 2\n", "systemd", "line 2: systemd sees no variable there, but it is one for compose"),
        (b"A=${HOME}\n", "python-dotenv", "line 1: A refers to a variable that the file has not set before"),
        (b"# c \\\nA=1\n", "systemd", "a comment that ends with a backslash goes on in the next line"),
        (
            b"A=1\nB=x y'\nC/D=1\n",
            "systemd",
            "compose would refuse the file: line 3: a character in the name",
        ),
    ],
)
def test_warnings(content: bytes, reader: Reader, warning: str) -> None:
    reading = read(content, reader)
    assert reading.faults == ()
    assert any(warning in each for each in reading.warnings), reading.warnings


def test_a_plain_file_has_nothing_to_warn_of() -> None:
    content = (
        b"# database\nDATABASE_URL=postgresql://u:p@h:5432/d?x=1\n\nNAME=\"two words\"\nEMPTY=\nQUOTED='x'\n"
    )
    for reader in READERS:
        assert read(content, reader).warnings == ()
        assert len(read(content, reader).variables) == 4


def test_same_value_twice_is_nothing_to_warn_of() -> None:
    assert read(b"A=1\nA=1\n", "systemd").warnings == ()


def test_the_surroundings_of_this_very_process_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURELY_SET", "leaked")
    for reader in READERS:
        assert "leaked" not in str(read(b"A=${SURELY_SET}\nSURELY_SET\n", reader))


def test_differences() -> None:
    assert differences({"A": "1", "B": "2", "C": "3"}, {"D": "4", "B": "2", "C": "5"}) == (
        ["D"],
        ["A"],
        ["C"],
    )
    assert differences({}, {}) == ([], [], [])


PIECES = st.sampled_from(
    [
        *"AB=\n \t#;\"'\\$:{}\r",
        "\r\n",
        "\\n",
        "$$",
        "${A}",
        "${B:-x}",
        "export ",
        "привет",
        "\u2028",
        "\x85",
        "\\0101",
    ]
)


@given(
    st.one_of(
        st.binary(max_size=60), st.lists(PIECES, max_size=20).map(lambda parts: "".join(parts).encode())
    )
)
@example(b'A="\\')
@example(b"=\n")
@example(b"export")
@example(b"\xef\xbb\xbf")
def test_no_content_raises(content: bytes) -> None:
    for reader in READERS:
        reading = read(content, reader)
        assert reading.faults or reading.variables


@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12), st.sampled_from(READERS))
def test_no_message_holds_a_value(before: list[str], after: list[str], reader: Reader) -> None:
    content = f"KEY={''.join(before)}Hunter22x{''.join(after)}\nOTHER=1\n".encode()
    reading = read(content, reader)
    assert "Hunter22x" not in " ".join((*reading.faults, *reading.warnings))


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9/+=@%,.:_-]{0,20}", fullmatch=True),
        min_size=1,
        max_size=5,
    )
)
def test_plain_values_are_the_same_for_all(variables: dict[str, str]) -> None:
    content = "".join(f"{name}={value}\n" for name, value in variables.items()).encode()
    for reader in READERS:
        reading = read(content, reader)
        assert (reading.variables, reading.faults, reading.warnings) == (variables, (), ())


@given(st.lists(PIECES, max_size=20).map("".join))
def test_python_dotenv_is_the_library(text: str) -> None:
    """With an empty environment the library has nothing but the file to replace references from."""
    reading = read(text.encode(), "python-dotenv")
    kept = dict(os.environ)
    os.environ.clear()
    try:
        as_opened = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8").read()
        library = dotenv.dotenv_values(stream=io.StringIO(as_opened))
    finally:
        os.environ.update(kept)
    assert reading.variables == {name: value for name, value in library.items() if value is not None}
