"""A migration between the code in place and the backup's: refused with the revisions named, or crossed and undone."""

import json
import sys

import psycopg
import pytest

from tests.rollback.trees import BAD, GOOD, says

pytestmark = [pytest.mark.drill, pytest.mark.covers("files", "refused")]

ALEMBIC = """
import os, sys, psycopg
assert "2.4.0" in open("app/services/voice_v2/__init__.py").read(), "the newer code has to be there"
with psycopg.connect(os.environ["LOG_URL"]) as connection:
    connection.execute("UPDATE alembic_version SET version_num = %s", (sys.argv[2],))
"""


@pytest.fixture
def migrated(trees, database, monkeypatch):
    """The backup's release was recorded at revision 0002; the newer one runs, and the database is at 0003."""
    monkeypatch.setenv("LOG_URL", database.url)
    facts = {"system_identifier": None, "revision": "0002", "columns": [], "indexes": {}, "rows_per_day": {}}
    file = trees.place.state / "records" / f"{GOOD}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "database": facts}))
    trees.write_code(BAD)
    trees.place.restart()

    def write_target(**more):
        trees.place.write_target(**trees.settings, database={"url": "${LOG_URL}", **more})

    write_target()
    trees.write_target = write_target
    return trees


def revision(database):
    with psycopg.connect(database.url) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_it_is_refused_where_the_target_does_not_say_how(migrated, database):
    before = migrated.place.inventory()
    status, out = migrated.place.run("files")
    assert (status, migrated.place.inventory()) == (5, before), out
    assert f"the database is at revision 0003, and the code of {GOOD} needs 0002" in says(out)
    assert revision(database) == "0003"


def test_it_is_crossed_before_the_code_and_undone_after_it(migrated, database, tmp_path):
    script = tmp_path / "alembic.py"
    script.write_text(ALEMBIC)
    migrated.write_target(
        **{way: f"{sys.executable} {script} {way} {{revision}}" for way in ("downgrade", "upgrade")}
    )
    status, out = migrated.place.run("files")
    assert status == 0, out
    assert (migrated.place.serves(), revision(database)) == (f"of {GOOD}", "0002")
    status, out = migrated.place.run("files", "--undo")
    assert status == 0, out
    assert (migrated.place.serves(), revision(database)) == (f"of {BAD}", "0003")
