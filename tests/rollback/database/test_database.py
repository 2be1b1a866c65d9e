"""What the usage log has lost comes back from a dump: nothing else is changed, and the way back leads to before."""

import shutil
import threading
import time

import psycopg
import pytest

from tests.rollback.database.conftest import DAYS

pytestmark = pytest.mark.drill

LOSE_A_DAY = "DELETE FROM voice_usage_logs WHERE created_at::date = '2026-11-21'"
NO_UNIQUE = "ALTER TABLE voice_usage_logs DROP CONSTRAINT voice_usage_logs_request_id_key"
COLUMNS = (
    "created_at, request_id, operation, provider, language, status, duration_ms, audio_key, audio_sha256, audio_bytes, "
    "characters, client, error"
)
DOUBLE = f"INSERT INTO voice_usage_logs ({COLUMNS}) SELECT {COLUMNS} FROM voice_usage_logs WHERE id < 4"


def run(log, *words):
    code, out = log.place.run("database", *words)
    return code, " ".join(out.split())


def done(log, *words):
    code, out = run(log, *words)
    assert code == 0, out
    return out


def writes_nothing(log, *words, code=0):
    state, files = log.state(), log.place.inventory()
    found, out = run(log, *words)
    assert (found, log.state(), log.place.inventory()) == (code, state, files), out
    return out


@pytest.mark.covers("database", "apply", "undo", "second")
@pytest.mark.parametrize("name", ["log_20261123.dump", "a.sql", "b.sql.gz", "c.dump.gz"])
def test_lost_rows_come_back_and_newer_ones_stay(log, name):
    path = log.dump(name)
    full = log.rows()
    log.sql(LOSE_A_DAY)
    log.add("2026-11-24", 2)
    newer = log.rows()[-2:]
    before = log.state()
    words = [] if name.startswith("log") else ["--to", str(path)]
    assert "4 rows brought back" in done(log, *words)
    assert log.rows() == full + newer
    assert "already there: every row" in writes_nothing(log, *words)
    assert "4 rows taken out again" in done(log, "--undo")
    assert log.state() == before


@pytest.mark.covers("database", "dry-run")
def test_a_dry_run_restores_the_dump_and_leaves_nothing(log):
    log.sql(LOSE_A_DAY)
    out = writes_nothing(log, "--dry-run")
    assert "4 rows are missing (2026-11-21); the dump restores" in out
    assert "INSERT INTO public.voice_usage_logs 4 rows" in out
    assert "canary" not in out


def test_a_row_whose_id_is_taken_by_another_gets_a_new_one(log):
    request = log.sql("SELECT request_id FROM voice_usage_logs WHERE id = 5")[0][0]
    log.sql("DELETE FROM voice_usage_logs WHERE id = 5")
    log.add("2026-11-24", id=5)
    before = log.state()
    assert "1 of them get a new id" in done(log)
    assert log.sql(f"SELECT id > 12 FROM voice_usage_logs WHERE request_id = '{request}'") == [(True,)]
    assert log.sql("SELECT created_at::date::text FROM voice_usage_logs WHERE id = 5") == [("2026-11-24",)]
    done(log, "--undo")
    assert log.state() == before


def test_rows_that_were_doubled_are_set_aside_and_put_back_by_the_undo(log):
    full = log.rows()
    log.sql(NO_UNIQUE, DOUBLE)
    before = log.state()
    assert "3 rows double a request" in (out := done(log)), out
    assert log.rows() == full
    assert "voice_usage_logs_request_id_key" in str(log.state())
    kept = log.sql("SELECT relname FROM pg_class WHERE relname LIKE 'removed_%' AND relkind = 'r'")[0][0]
    assert log.sql(f"SELECT count(*) FROM voice_rollback.{kept}") == [(3,)]
    writes_nothing(log)
    assert "3 put back" in done(log, "--undo")
    assert [row[0] for row in log.rows()] == [row[0] for row in before[0][0]]
    assert sorted(map(str, log.rows())) == sorted(map(str, before[0][0]))
    assert log.state()[1] == before[1]


def test_of_two_rows_that_differ_the_one_in_the_dump_stays(log):
    full = log.rows()
    log.sql(NO_UNIQUE, DOUBLE, "UPDATE voice_usage_logs SET status = 'error' WHERE id = 2")
    assert "3 rows double a request" in done(log)
    kept = {row[2]: row for row in log.rows()}
    assert [kept[row[2]][1:] for row in full] == [row[1:] for row in full]
    assert len(log.rows()) == len(full)


def test_what_the_dump_does_not_decide_is_left_to_a_person(log):
    log.add("2026-11-24")
    log.sql(
        NO_UNIQUE,
        LOSE_A_DAY,
        f"INSERT INTO voice_usage_logs ({COLUMNS}) SELECT {COLUMNS} FROM voice_usage_logs WHERE id = 13",
        "UPDATE voice_usage_logs SET status = 'error' WHERE id = 13",
    )
    out = done(log)
    assert "1 requests have rows that differ, and the dump proves none of them right: decide by hand" in out
    assert len(log.rows()) == 14
    assert "decide by hand" in writes_nothing(log)


def test_a_sequence_left_behind_is_put_past_every_id(log):
    log.sql("SELECT setval('voice_usage_logs_id_seq', 3)")
    before = log.state()
    done(log)
    log_now = log.state()
    log.add("2026-11-24")
    assert log.rows()[-1][0] == 13
    log.sql("DELETE FROM voice_usage_logs WHERE id = 13", "SELECT setval('voice_usage_logs_id_seq', 12)")
    assert log.state() == log_now
    assert "the id's sequence is where it was" in done(log, "--undo")
    assert log.state() == before


def test_an_undo_leaves_the_sequence_where_ids_were_taken_from_it(log):
    log.sql("SELECT setval('voice_usage_logs_id_seq', 3)", LOSE_A_DAY)
    done(log)
    log.add("2026-11-24")
    assert "the id's sequence stays where it is" in done(log, "--undo")
    log.add("2026-11-24")
    assert [row[0] for row in log.rows()] == [1, 2, 3, 4, 9, 10, 11, 12, 13, 14]


def test_an_index_that_is_gone_is_built_again(log):
    log.sql("DROP INDEX ix_voice_usage_logs_created_at")
    before = log.state()
    assert "ix_voice_usage_logs_created_at made" in done(log)
    writes_nothing(log)
    done(log, "--undo")
    assert log.state() == before


def test_an_index_of_another_revision_is_left_to_the_migration(log):
    """Made here, it would be in the way of the migration that is to make it."""
    log.sql(
        "DROP INDEX ix_voice_usage_logs_created_at",
        "UPDATE alembic_version SET version_num = '0002'",
        LOSE_A_DAY,
    )
    said = done(log)
    assert "database is at 0002: indexes and constraints are left to the migration" in " ".join(said.split())
    assert log.sql("SELECT to_regclass('ix_voice_usage_logs_created_at') IS NULL") == [(True,)]
    writes_nothing(log)


def test_a_table_that_is_gone_is_made_again_with_all_that_hung_on_it(log, request):
    log.sql(
        "DROP ROLE IF EXISTS log_owner",
        "DROP ROLE IF EXISTS log_reader",
        "CREATE ROLE log_owner",
        "CREATE ROLE log_reader",
        "GRANT CREATE ON SCHEMA public TO log_owner",
        "CREATE TABLE providers (name text PRIMARY KEY)",
        "GRANT REFERENCES ON providers TO log_owner",
        "ALTER TABLE voice_usage_logs OWNER TO log_owner",
        "GRANT SELECT ON voice_usage_logs TO log_reader",
        "ALTER TABLE voice_usage_logs ADD FOREIGN KEY (provider) REFERENCES providers",
    )
    request.addfinalizer(
        lambda: log.sql(
            "DROP TABLE providers CASCADE",
            "DROP OWNED BY log_owner, log_reader CASCADE",
            "DROP ROLE log_owner, log_reader",
        )
    )
    log.dump()
    before = log.state()
    log.sql("DROP TABLE voice_usage_logs")
    gone = log.state()
    assert "the table was made, 12 rows brought back" in done(log)
    own, catalogue = log.state()
    assert own == before[0]
    assert catalogue[0][0] == before[1][0][0]  # indexes
    assert catalogue[0][2] == before[1][0][2]  # constraints, the foreign key among them
    public = [each for each in catalogue[0][1] if "voice_rollback" not in each]
    assert public == before[1][0][1]  # tables and sequences with their owners and rights
    log.add("2026-11-24")
    writes_nothing(log)
    assert "the table is missing again" in done(log, "--undo")
    left = log.state()
    assert left[0] == gone[0] == ()
    kept = log.sql(
        "SELECT relname FROM pg_class WHERE relname LIKE 'voice_usage_logs_undone_%' AND relkind = 'r'"
    )
    assert log.sql(f"SELECT count(*) FROM voice_rollback.{kept[0][0]}") == [(13,)]


def test_the_service_goes_on_writing_meanwhile(log):
    log.sql(LOSE_A_DAY)
    stop = threading.Event()
    written, failed = [], []

    def write():
        with psycopg.connect(log.url, autocommit=True) as connection:
            while not stop.is_set():
                try:
                    row = connection.execute(
                        "INSERT INTO voice_usage_logs (request_id, operation, status) "
                        "VALUES (gen_random_uuid(), 'tts', 'ok') RETURNING request_id"
                    ).fetchone()
                    written.append(row[0])
                except psycopg.Error as error:
                    failed.append(error)
                stop.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "4 rows brought back" in done(log)
        done(log, "--undo")
    finally:
        stop.set()
        writer.join(10)
    assert not failed
    assert written
    there = {row[2] for row in log.rows()}
    assert set(written) <= there
    assert len(there) == len(log.rows()) == 8 + len(written)


def test_a_lock_that_somebody_holds_is_waited_for_and_not_for_ever(log, monkeypatch):
    monkeypatch.setattr("rollback.database.server._LOCK_S", 0.3)
    log.sql(LOSE_A_DAY)
    before = log.rows()
    with psycopg.connect(log.url) as other:
        other.execute("LOCK TABLE voice_usage_logs IN SHARE MODE")
        started = time.monotonic()
        code, out = run(log)
        assert time.monotonic() - started < 20
        other.rollback()
    assert code == 1, out
    assert "is the table locked?" in out
    assert log.rows() == before
    assert log.sql("SELECT to_regnamespace('voice_rollback') IS NULL") == [(True,)]


def test_a_date_chooses_the_dump_of_that_day(log):
    shutil.copy(log.dumps / "log_20261123.dump", log.dumps / "log_20261122.dump")
    (log.dumps / "log_20261124.dump").write_bytes(b"")
    log.sql(LOSE_A_DAY)
    code, out = run(log)
    assert code == 5
    assert "log_20261124.dump on local:// is empty" in out
    assert "the next older dump: python -m rollback --target" in out
    assert "database --to log_20261123.dump" in out
    assert "log_20261122.dump" in done(log, "--to", "2026-11-22")


def test_rows_that_no_dump_has_are_told_to_be_lost(log):
    log.add(DAYS[-1], 2)
    shutil.rmtree(log.place.state / "records")
    log.record()
    log.sql(LOSE_A_DAY, "DELETE FROM voice_usage_logs WHERE id > 12")
    assert "rows that this dump does not have stay missing: 2026-11-22: 2 of 6" in done(log)
    out = writes_nothing(log, code=5)
    assert "these rows are in another dump (--to DUMP or DATE), or lost" in out
