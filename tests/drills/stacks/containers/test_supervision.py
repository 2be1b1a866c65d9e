"""The words of the engine and of systemd, in those that faults and drills know."""

import os

import pytest

from drills.stacks.containers.supervision import _container_state, _seconds, _seen_from_here, _unit_state


@pytest.mark.parametrize(
    ("active", "sub", "says"),
    [
        ("active", "running", "RUNNING"),
        ("activating", "start", "STARTING"),
        ("activating", "auto-restart", "BACKOFF"),
        ("deactivating", "stop-sigterm", "STOPPING"),
        ("failed", "failed", "FATAL"),
        ("inactive", "dead", "STOPPED"),
    ],
)
def test_a_unit(active, sub, says):
    assert _unit_state({"ActiveState": active, "SubState": sub}) == says


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        ("running", 0, "RUNNING"),
        ("created", 0, "STOPPED"),
        ("exited", 0, "STOPPED"),
        ("exited", 137, "STOPPED"),
        ("exited", 1, "EXITED"),
        ("restarting", 1, "BACKOFF"),
        ("paused", 0, "PAUSED"),
    ],
)
def test_a_container(status, code, says):
    assert _container_state({"Status": status, "ExitCode": code}) == says


def test_a_moment_of_the_engine_is_in_seconds_and_never_is_none():
    assert _seconds("2026-11-28T05:44:42.981234567Z") == 1795844682
    assert _seconds("0001-01-01T00:00:00Z") == 0


def test_a_process_that_is_not_below_another_is_not_found():
    assert _seen_from_here(os.getpid(), 0) == 0
    assert _seen_from_here(os.getpid(), 4_000_000) == 0
