"""How one sees that an answer was cut off."""

import pytest

from drills.faults.network import promised


@pytest.mark.parametrize(
    ("answer", "bytes_"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 41),
        (b"HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\n", 40),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", 0),
        (b"", 0),
    ],
)
def test_an_answer_says_how_long_it_is(answer, bytes_):
    assert promised(answer) == bytes_
