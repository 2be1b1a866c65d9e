"""The runbook's notation of limits."""

from pathlib import Path

import pytest

from checks.criterion import CriteriaError, criteria, parse, triggers

RUNBOOK = {
    "endpoint_response_time": "< 2000ms",
    "error_rate": "< 1%",
    "all_providers_healthy": "true",
    "average_stt_time": "< 3000ms",
    "average_tts_time": "< 2000ms",
    "memory_usage": "< 1GB",
    "stt_success_rate": "> 95%",
    "tts_success_rate": "> 98%",
    "provider_fallback_working": "true",
    "average_response_time": "< 3s",
    "p95_response_time": "< 5s",
}


def test_every_limit_of_the_runbook_is_there_as_written():
    found = criteria({}, where="target.yaml")
    assert {name: found[name].text for name in RUNBOOK} == RUNBOOK


def test_every_trigger_of_the_runbook_is_there():
    assert sorted(
        (trigger.kind, trigger.text) for trigger in triggers().values() if trigger.sign != "is"
    ) == [
        ("critical", "> 10%"),
        ("degradation", "> 200%"),
        ("degradation", "> 5%"),
        ("degradation", "> 50%"),
    ]


@pytest.mark.parametrize(
    ("written", "limit", "good", "bad"),
    [
        ("a < 2000ms", 2.0, 1.999, 2.0),
        ("a < 1GB", 1e9, 9e8, 1e9),
        ("a > 95%", 0.95, 0.96, 0.95),
        ("a <= 3.5s", 3.5, 3.5, 3.6),
        ("a >= 2", 2.0, 2.0, 1.9),
        ({"a": True}, 1.0, True, False),
    ],
)
def test_a_limit_is_parsed_with_its_unit_and_holds_on_its_good_side(written, limit, good, bad):
    criterion = parse("health", written, "criteria.yaml")
    assert criterion.limit == pytest.approx(limit)
    assert criterion.holds(good)
    assert not criterion.holds(bad)


@pytest.mark.parametrize(
    "written", ["a < ", "a < 5 parsecs", "< 5ms", "a == 5", {"a": False}, {"a": 1, "b": 2}, 7]
)
def test_what_cannot_be_read_is_one_clear_line(written):
    with pytest.raises(CriteriaError, match=r"^criteria\.yaml: cannot read .* write `name < 2000ms`"):
        parse("health", written, "criteria.yaml")


def test_a_target_overrides_a_limit_in_another_unit_of_the_same_dimension():
    assert criteria({"average_tts_time": "< 2.5s"}, where="t.yaml")["average_tts_time"].limit == 2.5


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"average_ttts_time": "< 2s"}, "criteria.average_ttts_time: no such criterion"),
        ({"average_tts_time": "< 2GB"}, "write it like '< 2000ms'"),
        ({"average_tts_time": "> 2s"}, "write it like '< 2000ms'"),
        ({"average_tts_time": True}, "write it like '< 2000ms'"),
        ({"all_providers_healthy": False}, "cannot read"),
    ],
)
def test_a_wrong_override_names_the_file_and_the_criterion(overrides, said):
    with pytest.raises(CriteriaError) as caught:
        criteria(overrides, where="t.yaml")
    assert str(caught.value).startswith("t.yaml: criteria.")
    assert said in str(caught.value)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path):
    source = tmp_path / "criteria.yaml"
    source.write_text("criteria: {health: [a < 1s], data: [a < 2s]}")
    with pytest.raises(CriteriaError, match="a stands there twice"):
        criteria({}, where="t.yaml", source=source)


def test_the_share_of_failures_that_a_rate_allows():
    found = criteria({}, where="t")
    assert (found["tts_success_rate"].worst_share, found["error_rate"].worst_share) == (0.02, 0.01)
