"""The dump of a snapshot: restored before it gets its name, and no worse one ever takes the place of a good one."""

import os

import pytest

from rollback.errors import Refused, StepFailed
from rollback.site import site_of
from rollback.snapshots.database import DatabasePart
from target.load import load
from target.redact import Redactor
from tests.postgres_server import programs

pytestmark = pytest.mark.drill

STAMP = "20261125T140210Z"


@pytest.fixture
def part(log):
    def make(**settings):
        database = {
            "url": "${LOG_URL}",
            "admin_url": "${LOG_URL}",
            "dumps": str(log.dumps / "log_%Y%m%d.dump"),
            "tools": str(programs()),
            **settings,
        }
        log.place.write_target(database={key: value for key, value in database.items() if value})
        target = load(log.place.target, environ=os.environ)
        return DatabasePart(site_of(target, "local://", Redactor()))

    return make


def names(log):
    return sorted(path.name for path in log.dumps.iterdir())


def take(part):
    return part.take(STAMP, lambda _: None)


def test_what_is_taken_is_what_the_action_goes_back_to(log, part):
    log.add("2026-11-24", 3)
    state = log.state()
    said = take(part())
    assert said.endswith("log_20261125.dump, 15 rows of 4 days, restored to see that it is whole")
    assert log.state() == state
    assert names(log) == ["log_20261123.dump", "log_20261125.dump"]
    assert (log.dumps / "log_20261125.dump").stat().st_mode & 0o777 == 0o600
    full = log.rows()
    log.sql("DELETE FROM voice_usage_logs WHERE id > 12")
    code, out = log.place.run("database")
    assert code == 0, out
    assert log.rows() == full


def test_a_second_one_of_the_day_moves_the_first_aside(log, part):
    first = (log.dumps / "log_20261123.dump").rename(log.dumps / "log_20261125.dump").read_bytes()
    take(part())
    assert names(log) == ["log_20261125.dump", f"log_20261125.dump.replaced.{STAMP}"]
    assert (log.dumps / names(log)[1]).read_bytes() == first


def test_one_that_fails_leaves_what_is_there(log, part, tmp_path):
    for name in ("pg_restore", "psql"):
        (tmp_path / name).symlink_to(programs() / name)
    fails = tmp_path / "pg_dump"
    fails.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {programs()}/pg_dump --version\necho "No space left" >&2\nexit 1\n'
    )
    fails.chmod(0o755)
    before = log.place.inventory()
    with pytest.raises(StepFailed, match="No space left"):
        take(part(tools=str(tmp_path)))
    fails.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {programs()}/pg_dump --version\necho PGDMP > "$6"\n'
    )
    with pytest.raises(Refused, match="truncated or damaged"):
        take(part(tools=str(tmp_path)))
    after = log.place.inventory()
    assert {name: facts[5] for name, facts in after.items() if name.startswith("dumps/")} == {
        name: facts[5] for name, facts in before.items() if name.startswith("dumps/")
    }


def test_programs_older_than_the_server_are_refused_with_both_versions(part, tmp_path):
    old = tmp_path / "pg_dump"
    old.write_text('#!/bin/sh\necho "pg_dump (PostgreSQL) 15.18"\n')
    old.chmod(0o755)
    with pytest.raises(StepFailed, match="is version 15, and the server is version 18"):
        take(part(tools=str(tmp_path)))


def test_the_newest_stay_and_the_last_one_always(log, part):
    for day in (20, 21, 22):
        log.dump(f"log_202611{day}.dump")
    (log.dumps / "notes.txt").write_text("")
    assert part().prune(2) == ["log_20261121.dump", "log_20261120.dump"]
    assert part().prune(0) == ["log_20261122.dump"]
    assert names(log) == ["log_20261123.dump", "notes.txt"]


def test_what_the_target_lacks_is_named(part):
    assert part(admin_url=None).lacks() == "database.admin_url"
    assert part(dumps=None).lacks() == "database.dumps"
    assert part().lacks() == ""
