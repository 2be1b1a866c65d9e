"""Which lines of a log say why a service is down."""

from checks.survey_host import telling

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/app/main.py", line 11, in <module>',
    "    from fastapi import FastAPI",
    "ModuleNotFoundError: No module named 'fastapi'",
]


def test_what_a_control_adds_does_not_hide_the_exception():
    own = ["voice.service: Main process exited", "voice.service: Failed with result 'exit-code'."]
    assert telling([*TRACEBACK, *own]) == [TRACEBACK[-1], own[-1]]


def test_a_start_that_is_under_way_does_not_hide_how_the_one_before_it_ended():
    assert telling([*TRACEBACK, "Started voice.service.", *TRACEBACK[:2]]) == [TRACEBACK[-1], TRACEBACK[1]]


def test_the_last_of_several_counts_with_the_module_it_comes_from():
    assert telling([*TRACEBACK, "asyncpg.exceptions.InvalidPasswordError: voice"]) == [
        "asyncpg.exceptions.InvalidPasswordError: voice"
    ]


def test_without_one_the_last_line_has_to_do():
    assert telling(["INFO: up", "Killed"]) == ["Killed"]
    assert telling([]) == []
