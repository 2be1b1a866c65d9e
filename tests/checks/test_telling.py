"""Which lines of a log say why a service is down."""

from checks.survey_host import telling

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/app/main.py", line 11, in <module>',
    "    from fastapi import FastAPI",
    "ModuleNotFoundError: No module named 'fastapi'",
]
OF_SYSTEMD = ["voice.service: Main process exited", "Stopped voice.service - voice."]


def test_what_systemd_adds_does_not_hide_the_exception():
    assert telling([*TRACEBACK, *OF_SYSTEMD], "voice") == [TRACEBACK[-1], OF_SYSTEMD[-1]]
    nothing = "/srv/venv/bin/python: No module named uvicorn"
    assert telling([nothing, *OF_SYSTEMD], "voice") == [nothing, OF_SYSTEMD[-1]]


def test_a_start_that_is_under_way_does_not_hide_how_the_one_before_it_ended():
    log = [*TRACEBACK, *OF_SYSTEMD, "Started voice.service.", *TRACEBACK[:2]]
    assert telling(log, "voice") == [TRACEBACK[-1], TRACEBACK[1]]


def test_the_last_of_several_counts_with_the_module_it_comes_from():
    last = "asyncpg.exceptions.InvalidPasswordError: voice"
    assert telling([*TRACEBACK, *OF_SYSTEMD, *TRACEBACK[:3], last], "voice") == [last]


def test_an_exception_of_before_the_service_ran_is_none_of_now():
    assert telling([*TRACEBACK, "INFO: up", "INFO: answered"], "voice") == ["INFO: answered"]
    assert telling([*TRACEBACK, "INFO: up", *OF_SYSTEMD], "voice") == [OF_SYSTEMD[-1]]


def test_without_one_the_last_line_has_to_do():
    assert telling(["INFO: up", "Killed"], "voice") == ["Killed"]
    assert telling([], "voice") == []
