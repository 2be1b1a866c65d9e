"""A migration between the code in place and the good one: refused with the revisions named, or crossed and undone."""

import sys

import psycopg
import pytest

from target.record import DatabaseRecord

pytestmark = [pytest.mark.drill, pytest.mark.covers("git", "refused")]

ALEMBIC = """
import os, sys, psycopg
assert "LIMIT" in open("app/services/voice_v2/core.py").read()
with psycopg.connect(os.environ["LOG_URL"]) as connection:
    connection.execute("UPDATE alembic_version SET version_num = %s", (sys.argv[2],))
"""


@pytest.fixture
def migrated(code, database, monkeypatch):
    """The good release was recorded at revision 0002, and the database is at 0003."""
    monkeypatch.setenv("LOG_URL", database.url)
    code.reset(recorded=False)
    facts = DatabaseRecord(system_identifier=None, revision="0002", columns=(), indexes={}, rows_per_day={})
    code.record("2.3.1", database=facts)

    def target(**more):
        code.place.write_target(code={"checkout": str(code.folder)}, database={"url": "${LOG_URL}", **more})

    target()
    code.target = target
    return code


def revision(database):
    with psycopg.connect(database.url) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_it_is_refused_where_the_target_does_not_say_how(migrated, database):
    before = migrated.place.inventory()
    status, out = migrated.place.run("git")
    assert (status, migrated.place.inventory()) == (5, before), out
    assert "the database is at revision 0003, and the code of 2.3.1 needs 0002" in " ".join(out.split())
    assert revision(database) == "0003"


def test_it_is_crossed_before_the_code_and_undone_after_it(migrated, database, tmp_path):
    script = tmp_path / "alembic.py"
    script.write_text(ALEMBIC)
    ways = {way: f"{sys.executable} {script} {way} {{revision}}" for way in ("downgrade", "upgrade")}
    migrated.target(**ways)
    status, out = migrated.place.run("git")
    assert status == 0, out
    assert "1 migrate back" in out
    migrated.is_good()
    assert revision(database) == "0002"
    status, out = migrated.place.run("git", "--undo")
    assert status == 0, out
    assert revision(database) == "0003"
