"""Killed by SIGKILL after any line of its journal, the action ends with every row once, or with the state before."""

import os
import shutil

import psycopg
import pytest

from rollback.database.merge import Merge

pytestmark = pytest.mark.drill

LOSE_A_DAY = "DELETE FROM voice_usage_logs WHERE created_at::date = '2026-11-21'"


@pytest.fixture
def lossy(log):
    """A way back to the table that has lost a day and an index, and whose sequence is behind, quicker than `fresh`."""
    log.full = log.rows()
    log.sql("DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS TABLE voice_usage_logs")

    def reset():
        shutil.rmtree(log.place.state / "journals", ignore_errors=True)
        shutil.rmtree(log.place.state / "lock", ignore_errors=True)
        log.sql(
            "DROP SCHEMA IF EXISTS voice_rollback CASCADE",
            "TRUNCATE voice_usage_logs",
            "INSERT INTO voice_usage_logs TABLE kept",
            LOSE_A_DAY,
            "DROP INDEX IF EXISTS ix_voice_usage_logs_created_at",
            "SELECT setval('voice_usage_logs_id_seq', 5)",
        )
        log.before = log.state()

    reset()
    yield reset
    log.sql("DROP TABLE kept")


def nothing_left(log):
    assert log.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'voice_rollback%'") == [(0,)]
    assert log.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'voice_rollback%'") == [(0,)]
    assert log.sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'staged_%'") == [(0,)]


@pytest.mark.covers("database", "kill", "undo", "second")
def test_every_line(log, lossy, survives_kills):
    def is_new():
        assert log.rows() == log.full
        assert log.sql("SELECT last_value FROM voice_usage_logs_id_seq") == [(12,)]
        assert log.sql("SELECT to_regclass('ix_voice_usage_logs_created_at') IS NOT NULL") == [(True,)]
        nothing_left(log)

    def is_old():
        assert log.state() == log.before

    survives_kills(log.place, ["database"], reset=lossy, is_new=is_new, is_old=is_old)


@pytest.mark.covers("database", "kill")
@pytest.mark.parametrize("moment", ["prepare", "seal", "carry_out", "take_back", "clear"])
def test_killed_right_after_the_database_took_it_and_before_the_journal_did(log, lossy, moment):
    """The transaction is committed, and nothing on the host tells."""

    def die_after():
        real = getattr(Merge, moment)

        def then_die(self, *args):
            real(self, *args)
            os.kill(os.getpid(), 9)

        setattr(Merge, moment, then_die)

    back = moment in ("take_back", "clear")
    if back:
        code, out = log.place.run("database")
        assert code == 0, out
    assert os.WIFSIGNALED(log.place.run_and_kill(die_after, "database", *(["--undo"] if back else [])))
    code, out = log.place.run("database", "--resume")
    assert code == 0, out
    if back:
        assert log.state() == log.before
        return
    assert log.rows() == log.full
    nothing_left(log)
    code, out = log.place.run("database", "--undo")
    assert code == 0, out
    assert log.state() == log.before


@pytest.mark.covers("database", "kill")
def test_a_scratch_database_that_a_kill_left_is_swept_up(log, lossy):
    def die_within_survey():
        from rollback.database import scratch

        def die(*_, **__):
            os.kill(os.getpid(), 9)

        scratch.load = die

    assert os.WIFSIGNALED(log.place.run_and_kill(die_within_survey, "database"))
    assert log.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'voice_rollback%'") == [(1,)]
    code, out = log.place.run("database")
    assert code == 0, out
    nothing_left(log)


def test_a_merge_that_still_runs_for_a_dead_caller_is_ended_first(log, lossy):
    """The caller is killed while the server waits for a lock: the resumed run does not wait for that as well."""
    code, out = log.place.run("database")
    assert code == 0, out
    run = log.place.journals()[-1][0]["run"].partition("-")[0]
    lossy()
    with psycopg.connect(log.url, application_name=f"voice-v2-rollback-{run}") as orphan:
        orphan.execute("SELECT 1")
        from rollback.database.server import Server
        from target.description import Database

        Server(Database(url=log.url, admin_url=log.url), run).end_earlier()
        with pytest.raises(psycopg.Error):
            orphan.execute("SELECT 1")
