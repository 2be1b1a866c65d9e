"""Killed by SIGKILL after every line of its journal: the old image or the new one, never a mixture."""

import pytest

from tests.rollback.quick import QuickHost

pytestmark = [pytest.mark.docker, pytest.mark.parametrize("program", ["docker compose"], indirect=True)]


@pytest.mark.covers("containers", "kill")
def test_every_line(place, survives_kills, monkeypatch):
    monkeypatch.setattr("rollback.site.Host", QuickHost)
    place.start()
    was = place.file.read_bytes()
    new = was.replace(place.engine.name("bad").encode(), place.engine.ids["good"].encode(), 1)

    def stands(which, content):
        assert (place.runs(), place.file.read_bytes()) == (which, content)
        assert not list(place.app.glob("*.next.*"))

    survives_kills(
        place,
        ["containers"],
        reset=place.reset,
        is_new=lambda: stands("good", new),
        is_old=lambda: stands("bad", was),
    )
