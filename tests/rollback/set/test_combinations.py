"""The action `set` with the actions as they are: packages and environment, code and environment."""

import json

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


def test_code_by_files_packages_and_environment(packages):
    place = packages.place
    broken = place.env.read_text()
    install(packages.venv, "openai", "1.2.0")
    place.env.write_text(place.previous.read_text())
    place.restart()
    code, out = place.run("snapshot", "code")
    assert code == 0, out
    packages.write_code("2.4.0")
    install(packages.venv, "openai", "0.9")
    place.env.write_text(broken)
    place.restart()
    told = json.loads(place.run("status", "--json")[1])["hosts"][0]
    assert {each["part"] for each in told["differs"]} == {"version", "code", "packages", "environment"}
    ways = {release["name"]: release["ways"] for release in told["releases"]}
    assert ways["good"] == ["files", "virtualenv", "environment"]
    assert told["next"] == "python -m rollback set --dry-run"
    code, out = place.run("set")
    assert code == 0, out
    assert place.serves() == "of 2.3.1"
    assert list(place.journals()[-1][0]["plan"]["parts"]) == ["files", "virtualenv", "environment"]
    assert "none: version, code, packages, environment are those of good" in words(out)
    code, out = place.run("set", "--undo")
    assert code == 0, out
    assert (place.serves(), place.env.read_text()) == ("of 2.4.0", broken)


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
