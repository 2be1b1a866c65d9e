"""What a record knows of an environment: whose it is, whether it may be gone to, what it has to serve."""

import pytest

from target.host import Host
from target.record import EnvironmentRecord, Record, Records

GOOD = "NAME=good\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
REVISION = "a1b2c3d4e5f6a7b8c9d0"


@pytest.fixture
def records(quick):
    return Records(Host("local://"), str(quick.state))


def save(records, name, env, *, version="2.3.1", names=("NAME", "MODE", "DB_PASSWORD", "VERSION")):
    records.save(
        Record(
            name=name,
            version=version,
            revision=REVISION,
            taken_at=f"2026-11-20T09:12:0{len(records.all())}Z",
            taken_by="tests",
            state="healthy",
            environment=EnvironmentRecord(records.keyed_hash(env.encode()), dict.fromkeys(names, "hash")),
        )
    )


def test_the_record_is_named_proven_and_expected_and_expected_no_more_after_the_undo(quick, records):
    save(records, "newer", quick.env.read_text())
    save(records, "good", GOOD)
    records.expect("newer")
    code, out = quick.run("environment")
    assert code == 0, out
    assert "environment of 2.3.1 (.env.previous" in out
    assert "as recorded for good" in out
    assert records.expected().name == "good"
    assert quick.run("environment", "--undo")[0] == 0
    assert records.expected().name == "newer"


def test_another_version_served_is_undone(quick, records):
    save(records, "good", GOOD, version="2.2.0")
    before = quick.env.read_text()
    code, out = quick.run("environment")
    assert code == 1, out
    assert "this environment is that of good (version 2.2.0)" in " ".join(out.split())
    assert quick.env.read_text() == before
    assert quick.run("environment", "--to", str(quick.previous))[0] == 0, "the person may accept the mixture"


def test_a_bad_record_is_never_gone_to_unasked(quick, records):
    save(records, "good", GOOD)
    records.mark_bad("good", "loses every tenth request")
    before = quick.inventory()
    code, out = quick.run("environment")
    assert (code, quick.inventory()) == (5, before)
    assert "loses every tenth request" in " ".join(out.split())
    assert quick.run("environment", "--to", str(quick.previous))[0] == 0


def test_keys_that_the_record_has_and_the_file_lacks(quick, records):
    save(records, "good", "other", names=("NAME", "S3_BUCKET"))
    before = quick.inventory()
    code, out = quick.run("environment")
    assert (code, quick.inventory()) == (5, before)
    assert "lacks S3_BUCKET, which the environment of good has" in " ".join(out.split())


def test_equal_to_the_broken_one_though_the_service_seems_to_work(quick, records):
    quick.reset(env=GOOD, previous=GOOD)
    save(records, "good", "another environment")
    before = quick.inventory()
    code, out = quick.run("environment")
    assert (code, quick.inventory()) == (5, before)
    assert "the recorded environments are others (good)" in " ".join(out.split())


def test_status_tells_whose_environment_is_in_place(quick, records):
    save(records, "good", GOOD)
    out = " ".join(quick.run("status")[1].split())
    assert "NOT as recorded" in out
    assert "environment of 2.3.1 a1b2c3d" in out
    assert quick.run("environment")[0] == 0
    assert "known good" in quick.run("status")[1]


def test_mark_bad_from_the_command_line(quick, records):
    save(records, "good", GOOD)
    code, out = quick.run("record", "--mark-bad", "wrong voice", "--name", "good")
    assert code == 0
    assert out.splitlines()[-1] == f"  now   python -m rollback --target {quick.target} status"
    assert records.get("good").why_bad == "wrong voice"
    code, out = quick.run("record", "--mark-bad", "wrong voice", "--name", "none")
    assert code == 4
    assert "there is: good" in " ".join(out.split())
