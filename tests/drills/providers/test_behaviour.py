import pytest

from drills.providers.behaviour import Decision, Desk, Order, OrderError


def test_without_orders_all_is_well_and_counted():
    desk = Desk()
    assert desk.decide("openai", "tts") == Decision("ok", None)
    counters = desk.state().providers["openai"].counters
    assert (counters["tts"].requests, counters["tts"].misbehaved, counters["stt"].requests) == (1, 0, 0)


def test_an_order_to_all_operations_reaches_what_it_can_spoil():
    desk = Desk()
    desk.follow("google", Order("unavailable"))
    assert desk.state().providers["google"].orders.keys() == {"tts", "stt", "list"}
    desk.heal("google")
    desk.follow("google", Order("wrong_words"))
    assert desk.state().providers["google"].orders.keys() == {"tts", "stt"}
    desk.heal("google")
    desk.follow("google", Order("silence"))
    assert desk.state().providers["google"].orders.keys() == {"tts"}


def test_orders_for_both_operations_stand_side_by_side():
    desk = Desk()
    desk.follow("yandex", Order("silence", "tts"))
    desk.follow("yandex", Order("server_error", "stt"))
    assert (desk.decide("yandex", "tts").mode, desk.decide("yandex", "stt").mode) == (
        "silence",
        "server_error",
    )


def test_a_new_order_counts_its_requests_from_the_start():
    desk = Desk()
    desk.follow("openai", Order("server_error", every=2))
    assert desk.decide("openai", "tts").mode == "ok"
    desk.follow("openai", Order("server_error", every=2))
    assert [desk.decide("openai", "tts").mode for _ in range(2)] == ["ok", "server_error"]


def test_recognition_has_no_audio_to_spoil():
    with pytest.raises(OrderError, match="ask it of tts"):
        Desk().follow("openai", Order("empty_audio", "stt"))
