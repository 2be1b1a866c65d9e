"""The wrong thing refused, as a person would come upon it: with nothing changed, and what to do instead."""

import json

import pytest

pytestmark = pytest.mark.drill


@pytest.fixture
def known_bad(operator):
    """The newest record on the host is one that was marked bad."""
    folder = operator.stack.layout.state / "records"
    good = json.loads(next(folder.glob("2.3.1-*.json")).read_text("utf-8"))
    name = "2.4.0-bad"
    path = folder / f"{name}.json"
    bad = {"name": name, "version": "2.4.0", "state": "bad", "why_bad": "cuts sentences off"}
    path.write_text(json.dumps({**good, **bad, "taken_at": "2099-01-01T00:00:00Z"}), "utf-8")
    yield name
    path.unlink()


def test_a_release_that_is_known_to_be_bad_is_never_gone_to(operator, known_bad):
    said = operator.rolls_back("set", "--to", known_bad, exits=5)
    assert "is marked bad; nothing was changed" in " ".join(said.split())
    assert "2.3.1" in operator.rolls_back("set", "--dry-run"), "the newest good one"
