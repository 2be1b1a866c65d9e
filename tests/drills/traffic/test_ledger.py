"""The ledger: what was acknowledged is read back, also after a crash."""

import pytest

from drills.traffic import ledger
from drills.traffic.ledger import Call

ONE = Call(
    operation="tts", intended=1.0, started=1.5, ended=2.0, status=200, request_id="a", audio_key="tts/a.ogg"
)
TWO = Call(operation="stt", intended=2.0, started=2.0, ended=3.0, status=503, error="HTTPError: 503")


def test_what_is_added_is_read(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with ledger.Writer(path) as writer:
        writer.add(ONE)
        assert ledger.read(path) == [ONE], "at once"
        writer.add(TWO)
    assert ledger.read(path) == [ONE, TWO]
    assert (ONE.acknowledged, TWO.acknowledged) == (True, False)
    assert ONE.latency_s == 1.0, "the wait before it could begin counts"


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with ledger.Writer(path) as writer:
        writer.add(ONE)
    with path.open("ab") as file:
        file.write(b'{"operation":"tts","inte')
    assert ledger.read(path) == [ONE]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"nonsense\n")
    with pytest.raises(ValueError, match="malformed"):
        ledger.read(path)


def test_no_file_yet_is_no_call(tmp_path):
    assert ledger.read(tmp_path / "ledger.jsonl") == []
