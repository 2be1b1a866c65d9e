"""The action `set` with the actions as they are: packages and environment, code and environment."""

import msgspec
import pytest

from target import capture, load
from target.host import Host
from target.record import EnvironmentRecord, Records
from tests.rollback.trees import install

pytestmark = pytest.mark.drill


def words(text):
    return " ".join(text.split())


@pytest.fixture
def packages(trees):
    """The virtualenv has another version of a package, and the environment is another; both are on record."""
    place = trees.place
    records = Records(Host("local://"), str(place.state))
    target = load.load(place.target, environ={})
    recorded = records.get("2.3.1")
    records.save(
        msgspec.structs.replace(
            recorded,
            name="good",
            taken_at="2026-11-21T09:12:00Z",
            environment=capture.environment(target, Host("local://"), records),
        )
    )
    good = place.env.read_text()
    place.previous.write_text(good)
    place.env.write_text(good + "EXTRA=1\n")
    install(trees.venv, "openai", "0.9")
    place.restart()
    return trees


def test_packages_and_environment(packages):
    place = packages.place
    before = place.env.read_text()
    code, out = place.run("status")
    assert words(out).endswith("set --dry-run"), out
    code, out = place.run("set")
    assert code == 0, out
    assert place.env.read_text() == place.previous.read_text()
    (journal,) = place.journals()
    assert list(journal[0]["plan"]["parts"]) == ["virtualenv", "environment"]
    assert [line["name"] for line in journal if line["event"] == "done"].count("restart") == 1
    assert "none: version, code, packages, environment are those of good" in words(out)
    again = place.inventory()
    assert place.run("set")[0] == 0
    assert place.inventory() == again
    code, out = place.run("set", "--undo")
    assert code == 0, out
    assert place.env.read_text() == before
    assert list(packages.venv.rglob("openai-0.9.dist-info"))


def test_code_by_git_and_environment(code):
    place = code.place
    good = place.env.read_text()
    records = Records(Host("local://"), str(place.state))
    records.mark_bad("2.3.1", "taken without an environment")
    environment = EnvironmentRecord(records.keyed_hash(good.encode()), {})
    code.record("2.3.1", name="good", taken_at="2026-11-23T09:12:00Z", environment=environment)
    place.previous.write_text(good)
    place.env.write_text(good + "EXTRA=1\n")
    place.restart()
    found, out = place.run("set")
    assert found == 0, out
    assert (code.head(), place.env.read_text()) == (code.good, good)
    (journal,) = place.journals()
    assert list(journal[0]["plan"]["parts"]) == ["git", "environment"]
    found, out = place.run("set", "--undo")
    assert found == 0, out
    assert (code.head(), place.env.read_text()) == (code.bad, good + "EXTRA=1\n")
