"""The subcommand `snapshot`: only what is proven to be good is taken, every part is told, the older ones are pruned."""

import json

import pytest

from rollback.snapshots import catalogue
from rollback.snapshots.entry import Snapshots
from rollback.snapshots.part import Part
from target.errors import HostError
from target.host import Host
from target.record import EnvironmentRecord, Record, Records
from target.redact import Redactor
from target.service import ServiceStatus
from tests.rollback.place import GOOD
from tests.rollback.quick import QuickService


class Copies(Part):
    """A part that keeps a file a snapshot beside the target, and fails or is lacking where a test says so."""

    failing: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()

    def __init__(self, name, site):
        super().__init__(site)
        self.name = name
        self.folder = f"{site.state_dir}/../copies-{name}"

    def lacks(self):
        return f"{self.name}.backup" if self.name in self.lacking else ""

    def take(self, stamp, report):
        report("copying")
        if self.name in self.failing:
            raise HostError(f"local://: cannot copy {self.name}: No space left on device")
        self.site.host.make_folder(self.folder)
        self.site.host.write_atomically(f"{self.folder}/{stamp}", self.name.encode())
        return f"copies-{self.name}/{stamp}"

    def prune(self, keep):
        names = self.site.host.list(self.folder)
        for name in names[:-keep]:
            self.site.host.remove(f"{self.folder}/{name}")
        return names[:-keep]


@pytest.fixture
def good(quick, monkeypatch):
    """The service runs with a good environment, which is on record; two parts are on offer."""
    names = ["environment", "code", "database"]
    monkeypatch.setattr(catalogue, "build", Copies)
    monkeypatch.setattr(catalogue, "names", lambda: names)
    monkeypatch.setattr("rollback.__main__.names", lambda: names)
    monkeypatch.setattr(Copies, "failing", frozenset())
    monkeypatch.setattr(Copies, "lacking", {"database"})
    for folder in quick.folder.glob("copies-*"):
        for file in folder.iterdir():
            file.unlink()
    quick.reset(env=GOOD)
    records = Records(Host("local://"), str(quick.state))
    records.save(
        Record(
            name="good",
            version="2.3.1",
            revision="a1b2c3d4e5f6a7b8c9d0",
            taken_at="2026-11-20T09:12:00Z",
            taken_by="tests",
            state="healthy",
            environment=EnvironmentRecord(records.keyed_hash(GOOD.encode()), {}),
        )
    )
    return quick


def snapshots(place):
    return Snapshots(Host("local://"), str(place.state), Redactor()).all()


def refused(place, *arguments):
    before = place.inventory()
    code, out = place.run("snapshot", *arguments)
    assert (code, place.inventory()) == (5, before), out
    return " ".join(out.split())


def test_takes_each_part_and_names_what_is_not_offered(good):
    code, out = good.run("snapshot")
    assert code == 0, out
    (taken,) = snapshots(good)
    assert [part.name for part in taken.parts] == ["environment", "code"]
    assert (taken.record, taken.version, taken.target) == ("good", "2.3.1", "tiny")
    assert f"copies-code/{taken.stamp}" in out
    assert "not taken: the target names no `database.backup`" in out
    assert not list(good.state.glob("lock*"))


def test_a_dry_run_changes_nothing(good):
    before = good.inventory()
    code, out = good.run("snapshot", "--dry-run")
    assert (code, good.inventory()) == (0, before)
    assert "would be taken" in out
    assert f"python -m rollback --target {good.target} snapshot" in out


def test_a_failed_part_is_told_and_nothing_older_is_removed(good, monkeypatch):
    assert good.run("snapshot", "--keep", "1")[0] == 0
    monkeypatch.setattr(Copies, "failing", {"environment"})
    code, out = good.run("snapshot", "--keep", "1")
    assert code == 1, out
    assert "No space left on device" in " ".join(out.split())
    assert "FAILED: environment" in out
    assert len(list((good.folder / "copies-environment").iterdir())) == 1
    newest, oldest = snapshots(good)
    assert [part.name for part in newest.parts] == ["code"]
    assert [part.name for part in oldest.parts] == ["environment", "code"]


def test_keeps_so_many_of_each(good):
    stamps = []
    for _ in range(3):
        assert good.run("snapshot", "--keep", "2")[0] == 0
        stamps.append(snapshots(good)[0].stamp)
    assert good.run("snapshot", "code", "--keep", "2")[0] == 0
    assert len(set(stamps)) == 3, "two snapshots never share a name"
    found = snapshots(good)
    assert [[part.name for part in each.parts] for each in found] == [
        ["code"],
        ["environment", "code"],
        ["environment"],
    ]
    assert [each.stamp for each in found[1:]] == [stamps[2], stamps[1]]
    assert len(list((good.folder / "copies-code").iterdir())) == 2


def test_what_is_not_healthy_is_refused(good):
    good.reset(env=GOOD.replace("MODE=ok", "MODE=sick"))
    out = refused(good)
    assert "no healthy record" in out


def test_a_sick_service_is_refused(good):
    good.env.write_text(GOOD.replace("MODE=ok", "MODE=sick"))
    good.restart()
    out = refused(good)
    assert "/health says 'unhealthy'" in out
    assert "the backups that are there stay as they are" in out


def test_another_environment_than_the_recorded_one_is_refused(good):
    good.env.write_text(GOOD + "EXTRA=1\n")
    good.restart()
    assert "not the recorded one of good but of no record" in refused(good)


def test_another_version_than_the_recorded_one_is_refused(good):
    good.env.write_text(GOOD.replace("2.3.1", "2.4.0"))
    good.restart()
    assert "serves 2.4.0 a1b2c3d, expected is version 2.3.1" in refused(good)


def test_a_process_older_than_its_environment_is_refused(good):
    good.env.write_text(GOOD)
    assert "was changed after what serves 2.3.1 a1b2c3d was started" in refused(good)


def test_an_unfinished_action_comes_first(good, kill_after_line):
    good.env.write_text(GOOD + "EXTRA=1\n")
    good.restart()
    good.run_and_kill(kill_after_line(4), "environment")
    assert "an unfinished run of environment" in refused(good, "--break-lock")


def test_a_part_that_was_asked_for_and_is_not_offered_is_refused(good):
    assert "lacks what a snapshot of this needs: database (database.backup)" in refused(good, "database")


def test_a_second_operator_is_refused(good):
    from rollback.lock import Lock

    with Lock(Host("local://"), str(good.state)).hold("environment: a to b", None, pytest.fail):
        assert "environment: a to b" in refused(good)


@pytest.mark.parametrize("arguments", [["nonsense"], ["--keep", "0"]])
def test_usage_is_exit_4(good, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        good.run("snapshot", *arguments)
    assert caught.value.code == 4


def test_json_is_all_there_is(good):
    code, out = good.run("snapshot", "--json")
    told = json.loads(out)
    assert (code, told["exit_code"]) == (0, 0)
    (host,) = told["hosts"]
    assert {part["name"]: part["outcome"] for part in host["parts"]} == {
        "environment": "taken",
        "code": "taken",
        "database": "not offered",
    }


def test_a_service_that_its_control_still_calls_starting_is_waited_for(good, monkeypatch):
    """Right after a restart supervisord tells no process for some seconds, while the service answers already."""
    told = QuickService.status
    asked = []

    def status(self):
        asked.append(1)
        return told(self) if len(asked) > 2 else ServiceStatus("starting", None, None, None, "STARTING")

    monkeypatch.setattr(QuickService, "status", status)
    code, out = good.run("snapshot")
    assert code == 0, out
    assert len(asked) > 2
