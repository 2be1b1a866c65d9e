"""The subcommand `status`: what runs, what is known of it, what one can go back to, and the one command to type."""

import json

import msgspec
import pytest

from rollback.catalogue import OFFERS, Offer
from rollback.difference import Comparison, Difference
from rollback.lock import Lock
from rollback.remedy import remedies
from rollback.site import site_of
from rollback.snapshots.entry import Snapshot, Snapshots, Taken
from target import load
from target.host import Host
from target.record import EnvironmentRecord, Record, Records
from target.redact import Redactor
from tests.rollback.place import GOOD


@pytest.fixture
def save(quick):
    """Saves a record of the tiny service with this environment."""
    records = Records(Host("local://"), str(quick.state))

    def save(name, env, *, version="2.3.1", day=20):
        records.save(
            Record(
                name=name,
                version=version,
                revision="a1b2c3d4e5f6a7b8c9d0",
                taken_at=f"2026-11-{day}T09:12:00Z",
                taken_by="tests",
                state="healthy",
                environment=EnvironmentRecord(records.keyed_hash(env.encode()), {}),
            )
        )
        return records

    return save


def status(place):
    """What `status` says to a person, on one line, and to a machine; it writes nothing."""
    before = place.inventory()
    code, text = place.run("status")
    told = json.loads(place.run("status", "--json")[1])
    assert (code, told["exit_code"], place.inventory()) == (0, 0, before)
    assert text.splitlines()[-1].startswith("  now   ")
    return " ".join(text.split()), told["hosts"][0]


def test_what_runs_is_known_good(quick, save):
    quick.reset(env=GOOD)
    save("good", GOOD)
    text, told = status(quick)
    assert (told["good"], told["differs"], told["expected"]) == (True, [], "good")
    assert told["running"]["works"] is True
    assert (told["running"]["version"], told["running"]["state"]) == ("2.3.1", "running")
    assert told["running"]["started_at"].endswith("Z")
    assert "known good as recorded for 2.3.1 a1b2c3d" in text
    assert told["next"] == "pytest -m post_rollback"


def test_what_differs_is_told_and_cured(quick, save):
    save("good", GOOD)
    text, told = status(quick)
    assert told["good"] is False
    assert [difference["part"] for difference in told["differs"]] == ["environment"]
    assert told["next"] == "python -m rollback environment --dry-run"
    assert "can go back to environment:" in text


def test_releases_with_health_age_and_ways(quick, save):
    save("good", GOOD)
    save("elsewhere", "another environment", day=21)
    records = save("newest", GOOD, version="2.4.0", day=22)
    records.mark_bad("newest", "loses every tenth request")
    text, told = status(quick)
    found = {release["name"]: release for release in told["releases"]}
    assert list(found) == ["newest", "elsewhere", "good"]
    assert found["newest"]["state"] == "bad"
    assert found["newest"]["why_bad"] == "loses every tenth request"
    assert found["newest"]["ways"] == [], "what is marked bad is never offered"
    assert found["elsewhere"]["ways"] == []
    assert found["elsewhere"]["expected"] is True, "the newest that is not bad"
    assert found["good"]["ways"] == ["environment"]
    assert "marked bad: loses every tenth request · never gone back to" in text
    assert found["good"]["age_s"] > 0


def test_no_way_leads_to_what_is_marked_bad(quick, save):
    save("only", GOOD).mark_bad("only", "loses every tenth request")
    text, told = status(quick)
    assert "no way back environment:" in text
    assert told["next"] == "python -m checks triage", "the action would refuse"


def test_a_previous_file_that_is_in_place_already_is_no_alarm(quick):
    quick.reset(env=GOOD, previous=GOOD)
    text, _ = status(quick)
    assert "no way back" not in text
    assert "there already environment:" in text


def test_what_a_good_record_has_too_is_a_way_back(quick, save):
    save("good", GOOD)
    save("newest", GOOD, version="2.4.0", day=22).mark_bad("newest", "loses every tenth request")
    text, told = status(quick)
    assert "can go back to environment:" in text
    assert [way["records"] for way in told["ways"] if way["action"] == "environment"] == [["good"]]


def test_sick_though_nothing_differs_asks_for_triage(quick, save):
    save("good", quick.env.read_text())
    _, told = status(quick)
    assert (told["good"], told["differs"]) == (False, [])
    assert told["next"] == "python -m checks triage"


def test_without_a_record_the_first_thing_is_to_take_one(quick):
    quick.reset(env=GOOD)
    assert status(quick)[1]["next"] == "python -m rollback record"


def test_snapshots_are_listed(quick):
    snapshots = Snapshots(Host("local://"), str(quick.state), Redactor())
    for day in (20, 21, 22, 23):
        snapshots.save(
            Snapshot(
                stamp=f"202611{day}T091200Z",
                target="tiny",
                host="local://",
                by="tests",
                record="good",
                version="2.3.1",
                revision="a1b2c3d4e5f6",
                parts=(Taken(name="environment", says="copied"), Taken(name="code", says="copied")),
            )
        )
    text, told = status(quick)
    assert [snapshot["stamp"][:8] for snapshot in told["snapshots"]] == [
        "20261123",
        "20261122",
        "20261121",
        "20261120",
    ]
    assert "of 2.3.1 a1b2c3d · environment, code" in text
    assert "and 1 older" in text


def test_while_somebody_is_at_work_one_is_told_to_look_again(quick):
    with Lock(Host("local://"), str(quick.state)).hold("environment: a to b", None, pytest.fail):
        text, told = status(quick)
    assert told["lock"]["alive"] is True
    assert told["lock"]["message"] == "environment: a to b"
    assert told["next"] == "python -m rollback status"
    assert "environment: a to b" in text


def test_a_damaged_list_of_snapshots_is_named_and_the_rest_is_told(quick):
    (quick.state / "snapshots").mkdir(parents=True)
    (quick.state / "snapshots" / "20261120T091200Z.json").write_text("{")
    text, told = status(quick)
    assert "20261120T091200Z.json" in told["trouble"][0]
    assert "cannot be understood" in text


class TestRemedies:
    @pytest.fixture
    def site(self, quick, monkeypatch):
        for name in ("git", "files", "virtualenv", "containers"):
            monkeypatch.setitem(OFFERS, name, Offer(name, 2, ""))
        (quick.folder / "app").mkdir(exist_ok=True)
        quick.write_target(code={"checkout": str(quick.folder / "app")})
        yield lambda: site_of(load.load(quick.target, environ={}), "local://", Redactor())
        for path in sorted((quick.folder / "app").rglob("*"), reverse=True):
            path.rmdir()
        (quick.folder / "app").rmdir()

    @staticmethod
    def differing(*parts):
        return Comparison(tuple(Difference(part, part) for part in parts), (), parts)

    def test_a_version_that_the_environment_explains(self, site):
        found = msgspec.structs.replace(
            self.differing("version", "environment"), compared=("version", "code", "environment")
        )
        assert remedies(site(), found) == ["environment"], "the code was compared, and is right"

    @pytest.mark.parametrize(
        ("parts", "actions"),
        [
            (("environment",), ["environment"]),
            (("version",), ["files"]),
            (("version", "code"), ["files"]),
            (("packages",), ["virtualenv"]),
            (("version", "image"), ["containers"]),
            (("version", "environment"), ["files", "environment"]),
            (("version", "code", "packages", "environment"), ["files", "virtualenv", "environment"]),
            ((), []),
        ],
    )
    def test_by_what_differs(self, site, parts, actions):
        assert remedies(site(), self.differing(*parts)) == actions

    def test_git_where_the_checkout_is_a_repository(self, site, quick):
        (quick.folder / "app" / ".git").mkdir()
        assert remedies(site(), self.differing("version", "code")) == ["git"]
