import pytest

from checks.exposition import MetricsError, parse

TEXT = """# HELP voice_requests_total Requests
# TYPE voice_requests_total counter
voice_requests_total{operation="tts",status="ok"} 149.0
voice_requests_total{operation="stt",note="a\\"}{b",} 59 1700000000000
# TYPE voice_request_seconds histogram
voice_request_seconds_count{operation="tts"} 149
voice_request_seconds_sum{operation="tts"} 1.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 4.2e+07

voice_up NaN
"""


def test_counters_and_values_are_read() -> None:
    metrics = parse(TEXT)
    assert metrics.value("voice_requests_total") == 208
    assert metrics.value("process_resident_memory_bytes") == 42e6
    assert metrics.value("absent") is None
    assert metrics.counters("voice") == {
        'voice_requests_total{operation="tts",status="ok"}': 149,
        'voice_requests_total{operation="stt",note="a\\"}{b"}': 59,
        'voice_request_seconds_count{operation="tts"}': 149,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no metrics"),
        ("# only a comment\n", "no metrics"),
        ("<html>\n", "line 1 is no metric"),
        ("a 1\nb{x=1} 2\n", "line 2 has labels"),
        ("a one\n", "line 1 has no number"),
    ],
)
def test_what_is_no_exposition_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(MetricsError, match=told):
        parse(text)
