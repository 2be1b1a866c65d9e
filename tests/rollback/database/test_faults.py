"""The server or the host goes away in the middle: every row once or the state before, evidence, one clear error."""

import os
import signal

import psycopg
import pytest

from rollback.database.merge import Merge
from target.wait import Seen, eventually
from tests.postgres_server import new_database, running_postgres
from tests.rollback.database.test_kill import lossy, nothing_left
from tests.rollback.faults import strike_everywhere
from tests.severed import line_to

__all__ = ["lossy"]
pytestmark = pytest.mark.drill

SIDE = b'"voice_rollback"'
COMMIT = (b"DROP TABLE " + SIDE, b"COMMIT")
MOMENTS = {
    "the staged table is made": ((b"CREATE UNLOGGED TABLE",), False),
    "psql copies the rows": ((b"COPY " + SIDE,), False),
    "they are noted as whole": ((b"COMMENT ON TABLE", b"COMMIT"), True),
    "in the merge": ((b"UPDATE " + SIDE,), False),
    "before its COMMIT": (COMMIT, False),
    "right after its COMMIT": (COMMIT, True),
}
LONG = ("psql copies the rows", "before its COMMIT", "right after its COMMIT")


@pytest.fixture(scope="module")
def server():
    """A server of these tests' own, since it crashes."""
    with running_postgres() as made:
        yield made


@pytest.fixture(scope="module")
def _url(server):
    return new_database(server)


@pytest.fixture
def line(server, log, monkeypatch):
    """How the action gets to the server."""
    with line_to(server.port) as made:
        monkeypatch.setenv("LOG_URL", log.url.replace(f":{server.port}/", f":{made.port}/"))
        yield made


def run(log, *words):
    code, out = log.place.run("database", *words)
    assert "Traceback" not in out
    assert "error inside this tool" not in out
    return code, " ".join(out.split())


def is_new(log):
    assert log.rows() == log.full
    assert log.sql("SELECT last_value >= 12 FROM voice_usage_logs_id_seq") == [(True,)]
    nothing_left(log)


def is_old(log):
    assert log.state() == log.before


def is_done_and_undone(log):
    code, out = run(log)
    assert code == 0, out
    is_new(log)
    code, out = run(log, "--undo")
    assert code == 0, out
    is_old(log)


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_connection_is_lost_once(log, lossy, line, moment):
    signs, answered = MOMENTS[moment]
    line.cut(*signs, answered=answered)
    code, out = run(log)
    assert line.struck
    assert code == 1, out
    assert "FAILED and undone" in out
    is_old(log)
    if signs is COMMIT:
        is_done_and_undone(log)


@pytest.mark.parametrize("moment", LONG)
def test_the_server_is_away_for_longer(log, lossy, line, moment):
    signs, answered = MOMENTS[moment]
    line.cut(*signs, answered=answered, for_good=True)
    code, out = run(log)
    assert line.struck
    assert code == 3, out
    assert "refuses connections: start PostgreSQL" in out
    assert "the database cannot be asked" in out
    assert "--resume" in out
    line.mend()
    code, out = run(log, "--resume")
    assert code == 1, out
    is_old(log)


@pytest.mark.parametrize(("answered", "for_good"), [(True, False), (False, True)])
def test_on_the_way_back(log, lossy, line, answered, for_good):
    code, out = run(log)
    assert code == 0, out
    line.cut(b"DELETE FROM " + SIDE, b"COMMIT", answered=answered, for_good=for_good)
    code, out = run(log, "--undo")
    assert line.struck
    assert code == 3, out
    assert "stopped answering" in out
    line.mend()
    code, out = run(log, "--resume")
    assert code == 0, out
    is_old(log)


def test_in_the_preflight_nothing_is_changed(log, lossy, line):
    line.cut(b"CREATE DATABASE", for_good=True)
    code, out = run(log)
    assert line.struck
    assert code in (4, 5), out
    assert "stopped answering" in out
    line.mend()
    is_done_and_undone(log)


@pytest.mark.parametrize(
    ("moment", "ends"),
    [("seal", "undone"), ("_advance", "undone"), ("carry_out", "done")],
)
def test_the_server_crashes_and_recovers(log, lossy, server, moment, ends):
    """What is not in its log is gone then: the staged rows, whose table and the note on it are still there.

    With rows that double a request the proof does not count the rows of a day.
    """
    log.sql(
        "ALTER TABLE voice_usage_logs DROP CONSTRAINT voice_usage_logs_request_id_key",
        "INSERT INTO voice_usage_logs SELECT (jsonb_populate_record(t, '{\"id\": 13}')).* "
        "FROM voice_usage_logs t WHERE id = 1",
    )
    log.before = log.state()
    real = getattr(Merge, moment)

    def then_crash(merge, *words):
        patch.undo()
        found = real(merge, *words)
        crash(log, server)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Merge, moment, then_crash)
        code, out = run(log)
    if ends == "undone":
        assert code == 1, out
        assert "has the server crashed meanwhile? Run this again" in out
        is_old(log)
        is_done_and_undone(log)
    else:
        assert code == 0, out
        is_new(log)


def test_the_server_crashes_while_nobody_goes_on(log, lossy, server, kill_after_line):
    """The journal says that the rows are staged."""
    assert os.WIFSIGNALED(log.place.run_and_kill(kill_after_line(3), "database"))
    assert log.place.journals()[-1][-1]["name"] == "stage the dump"
    crash(log, server)
    code, out = run(log, "--resume")
    assert code == 0, out
    is_new(log)


def crash(log, server):
    """End one of its processes by SIGKILL, which it takes for a crash; wait until it has recovered."""
    with psycopg.connect(log.url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    def look():
        try:
            psycopg.connect(server.url(), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return Seen(met=False, seen=str(error))
        return Seen(met=True, seen="")

    waited = eventually(look, deadline_s=30, interval_s=0.05)
    assert waited.met, waited.seen


@pytest.mark.parametrize(("kind", "for_good"), [("connection lost", True), ("answer lost", False)])
def test_the_host_is_lost_at_its_calls(log, lossy, kind, for_good):
    strike_everywhere(
        log.place,
        ["database"],
        kind,
        for_good=for_good,
        reset=lossy,
        is_new=lambda: is_new(log),
        is_old=lambda: is_old(log),
        every=3,
    )
