"""A rollback of the code across a migration: refused with both revisions named, or a step where the target says how."""

import sys
import time

import msgspec
import pytest

from rollback import migration
from rollback.errors import Refused, StepFailed
from rollback.migration import Migration
from rollback.site import site_of
from rollback.step import Course
from target.description import Api, Code, Target
from target.record import DatabaseRecord, Record
from target.redact import Redactor

pytestmark = pytest.mark.drill

# Stands in for alembic: the revision is all that it changes.
ALEMBIC = """
import os, sys, psycopg
way, revision = sys.argv[1:]
assert os.getcwd() == {folder!r}
with psycopg.connect({url!r}) as connection:
    if revision == "9999":
        sys.exit("no such revision; password swordfish-one")
    connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))
"""


def record(revision):
    facts = DatabaseRecord(system_identifier=None, revision=revision, columns=(), indexes={}, rows_per_day={})
    return Record(
        name="2.3.1", version="2.3.1", revision=None, taken_at="2026-11-20T00:00:00Z", taken_by="test",
        state="healthy", database=facts,
    )  # fmt: skip


@pytest.fixture
def site(database, tmp_path):
    def make(**settings):
        target = Target(
            name="test",
            api=Api(url="http://127.0.0.1:9"),
            state_dir=str(tmp_path / "state"),
            code=Code(checkout=str(tmp_path)),
            database=msgspec.structs.replace(database, **settings),
        )
        return site_of(target, "local://", Redactor(["swordfish-one"]))

    return make


@pytest.fixture
def ways(database, tmp_path):
    script = tmp_path / "alembic.py"
    script.write_text(ALEMBIC.format(folder=str(tmp_path), url=database.url))
    command = f"{sys.executable} {script} {{way}} {{{{revision}}}}"
    return {way: command.format(way=way) for way in ("downgrade", "upgrade")}


def course():
    return Course(time.monotonic() + 30, lambda _: None, lambda: False, again=False)


def test_the_same_revision_is_of_no_concern(site):
    found = migration.judge(site(), record("0003"))
    assert [each.doubt for each in found] == [False]
    assert migration.crossing(site(), record("0003")) is None


def test_a_migration_in_between_is_refused_with_both_revisions(site):
    with pytest.raises(
        Refused, match=r"at revision 0003, and the code of 2\.3\.1 needs 0002.*nothing was changed"
    ):
        migration.judge(site(), record("0002"))


def test_several_heads_are_refused(site, ways):
    with pytest.raises(Refused, match="several heads"):
        migration.judge(site(**ways), record("0002,0002b"))


def test_what_cannot_be_told_is_a_doubt(site):
    assert migration.judge(site(), record(None))[0].doubt
    nowhere = site(url="postgresql://u:p@127.0.0.1:9/d")
    assert migration.judge(nowhere, record("0002"))[0].doubt
    assert migration.crossing(nowhere, record("0002")) is None


def test_where_the_target_says_how_it_is_a_step_that_can_be_undone(site, ways):
    place = site(**ways)
    assert "goes from revision 0003 to 0002" in migration.judge(place, record("0002"))[0].says
    found = migration.crossing(place, record("0002"))
    assert found == Migration("0003", "0002")
    (step,) = migration.steps(place, found)
    assert step.commands[0].endswith("downgrade 0002")
    for _ in range(2):
        step.apply(course())
        assert step.verify() == "the database is at revision 0002"
    for _ in range(2):
        assert step.undo(course()) == "the database is at revision 0003"
    assert migration.steps(place, None) == ()


def test_a_command_that_fails_says_why_without_a_secret(site, ways):
    (step,) = migration.steps(site(**ways), Migration("0003", "9999"))
    with pytest.raises(StepFailed, match="status 1") as caught:
        step.apply(course())
    assert "no such revision" in caught.value.evidence[-1]
    assert "swordfish" not in str(caught.value) + "".join(caught.value.evidence)
    with pytest.raises(StepFailed, match="at revision 0003, not at 9999"):
        step.verify()
    assert step.undo(course()) == "the database is at revision 0003"
