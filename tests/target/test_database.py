"""The usage log, against a real PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from target.database import Column, UsageLog, UsageRow
from target.description import Database
from target.errors import DatabaseError

pytestmark = pytest.mark.drill

DAY_1, DAY_2 = 1_795_132_800.0, 1_795_219_200.0  # 2026-11-20 and 2026-11-21, midnight UTC


@pytest.fixture
def log(database: Database) -> Iterator[UsageLog]:
    opened = UsageLog(database, timeout_s=5.0)
    yield opened
    opened.close()


def execute(database: Database, *statements: Any) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def add(database: Database, created: float, **columns: object) -> str:
    row = {"request_id": str(uuid.uuid4()), "operation": "tts", "status": "ok", **columns}
    names = ", ".join(row)
    marks = ", ".join("%s" for _ in row)
    with psycopg.connect(database.url) as connection:
        connection.execute(
            f"INSERT INTO voice_usage_logs (created_at, {names}) VALUES (to_timestamp(%s), {marks})",
            (created, *row.values()),
        )
    return str(row["request_id"])


def test_facts_of_an_empty_table(log: UsageLog) -> None:
    facts = log.facts()
    assert facts.revision == "0003"
    assert facts.columns[:3] == (
        Column("id", "bigint", nullable=False),
        Column("created_at", "timestamp with time zone", nullable=False),
        Column("request_id", "uuid", nullable=False),
    )
    assert len(facts.columns) == 14
    assert set(facts.indexes) == {
        "voice_usage_logs_pkey",
        "voice_usage_logs_request_id_key",
        "ix_voice_usage_logs_created_at",
    }
    assert facts.indexes["ix_voice_usage_logs_created_at"].startswith(
        "CREATE INDEX ix_voice_usage_logs_created_at ON "
    )
    assert (facts.rows_per_day, facts.duplicates, facts.max_id, facts.sequence_next) == ({}, 0, 0, 1)


def test_rows_are_counted_by_their_day_in_utc(database: Database, log: UsageLog) -> None:
    execute(database, "ALTER DATABASE " + database.url.rsplit("/", 1)[1] + " SET timezone = 'Asia/Kamchatka'")
    for created in (DAY_1, DAY_2 - 0.001, DAY_2):
        add(database, created)
    facts = log.facts()
    assert facts.rows_per_day == {"2026-11-20": 2, "2026-11-21": 1}
    assert (facts.max_id, facts.sequence_next) == (3, 4)


def test_a_naive_timestamp_is_taken_as_utc(database: Database, log: UsageLog) -> None:
    execute(
        database,
        "ALTER TABLE voice_usage_logs ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC'",
    )
    execute(
        database,
        "INSERT INTO voice_usage_logs (created_at, request_id, operation, status) "
        "VALUES ('2026-11-20 00:00:00', gen_random_uuid(), 'tts', 'ok')",
    )
    assert log.facts().rows_per_day == {"2026-11-20": 1}
    assert [row.created for row in log.rows(after=DAY_1)] == [DAY_1]
    assert log.rows(after=DAY_1 + 1) == []


def test_the_system_identifier_is_none_where_it_may_not_be_read(database: Database, log: UsageLog) -> None:
    identifier = log.facts().system_identifier
    assert identifier is not None
    assert identifier.isdecimal()
    name = f"reader_{database.url.rsplit('_', 1)[1]}"
    execute(
        database,
        f"CREATE ROLE {name} LOGIN PASSWORD 'reader-canary'",
        f"GRANT SELECT ON voice_usage_logs, alembic_version TO {name}",
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
    )
    head, tail = database.url.split("://")[0], database.url.split("@")[1]
    reader = UsageLog(msgspec.structs.replace(database, url=f"{head}://{name}:reader-canary@{tail}"))
    try:
        facts = reader.facts()
        execute(database, f"REVOKE SELECT ON voice_usage_logs FROM {name}")
        with pytest.raises(DatabaseError, match="permission denied for table voice_usage_logs; grant SELECT"):
            reader.rows()
    finally:
        reader.close()
        execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")
    assert facts.system_identifier is None
    assert facts.sequence_next is None
    assert facts.revision == "0003"


def test_duplicates_and_a_sequence_left_behind_are_seen(database: Database, log: UsageLog) -> None:
    same = str(uuid.uuid4())
    execute(database, "ALTER TABLE voice_usage_logs DROP CONSTRAINT voice_usage_logs_request_id_key")
    for _ in range(3):
        add(database, DAY_1, request_id=same)
    add(database, DAY_1)
    execute(database, "SELECT setval('voice_usage_logs_id_seq', 2, false)")
    facts = log.facts()
    assert (facts.duplicates, facts.max_id, facts.sequence_next) == (2, 4, 2)
    assert "voice_usage_logs_request_id_key" not in facts.indexes


def test_several_heads_and_no_migrations_at_all(database: Database, log: UsageLog) -> None:
    execute(database, "INSERT INTO alembic_version VALUES ('0002b')")
    assert log.facts().revision == "0002b,0003"
    execute(database, "DROP TABLE alembic_version")
    assert log.facts().revision is None


def test_rows_come_oldest_first_and_limited_to_the_newest(database: Database, log: UsageLog) -> None:
    first = add(database, DAY_1, audio_key="a.ogg", audio_sha256="ab" * 32, audio_bytes=1234)
    second = add(database, DAY_2 + 0.5, operation="stt", status="error")
    third = add(database, DAY_2 + 1)
    rows = log.rows()
    assert rows[0] == UsageRow(1, DAY_1, first, "tts", "ok", "a.ogg", "ab" * 32, 1234, None)
    assert rows[1] == UsageRow(2, DAY_2 + 0.5, second, "stt", "error", None, None, None, None)
    assert [row.request_id for row in log.rows(limit=2)] == [second, third]
    assert [row.request_id for row in log.rows(after=DAY_2 + 1)] == [third]


def test_the_mark_comes_from_the_column_that_the_target_names(database: Database) -> None:
    add(database, DAY_1, client="rollback-suite")
    log = UsageLog(msgspec.structs.replace(database, mark_column="client"))
    assert [row.mark for row in log.rows()] == ["rollback-suite"]
    assert log.missing_columns() == ()
    log.close()


def test_someone_elses_table_may_lack_columns(database: Database) -> None:
    execute(
        database,
        'CREATE SCHEMA "Voice"',
        'CREATE TABLE "Voice"."Logs" (id int, created_at timestamptz, status varchar(8), audio_bytes int)',
        """INSERT INTO "Voice"."Logs" VALUES (7, '2026-11-20T00:00:00Z', 'ok', 5), (8, NULL, 'ok', 5)""",
    )
    log = UsageLog(msgspec.structs.replace(database, table="Voice.Logs", mark_column="client"))
    assert log.missing_columns() == ("request_id", "operation", "audio_key", "audio_sha256", "client")
    assert log.rows() == [UsageRow(7, DAY_1, "", "", "ok", None, None, 5, None)]
    facts = log.facts()
    assert (facts.rows_per_day, facts.duplicates, facts.max_id) == ({"2026-11-20": 1}, 0, 8)
    assert (facts.indexes, facts.sequence_next) == ({}, None)
    execute(database, 'ALTER TABLE "Voice"."Logs" DROP COLUMN created_at, DROP COLUMN id')
    assert log.facts().rows_per_day == {}
    with pytest.raises(DatabaseError, match="has no column id and no created_at"):
        log.rows()
    log.close()


def test_a_table_name_cannot_smuggle_sql(database: Database) -> None:
    log = UsageLog(msgspec.structs.replace(database, table='x"; DROP TABLE voice_usage_logs; --'))
    with pytest.raises(DatabaseError, match="has no table"):
        log.facts()
    log.close()
    assert add(database, DAY_1)


def test_whether_the_server_takes_writes(database: Database, log: UsageLog) -> None:
    assert log.writable()
    name = database.url.rsplit("/", 1)[1]
    execute(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    log.close()
    assert not log.writable()


def test_nothing_can_be_written_and_the_session_is_named(database: Database, log: UsageLog) -> None:
    with log._server.reading() as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("voice-v2-rollback",)
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
    with pytest.raises(DatabaseError, match="read-only transaction"), log._server.reading() as connection:
        connection.execute("DELETE FROM voice_usage_logs")


def refusal(database: Database, **changes: str) -> str:
    log = UsageLog(msgspec.structs.replace(database, **changes), timeout_s=2.0)
    with pytest.raises(DatabaseError) as caught:
        log.facts()
    log.close()
    assert "-canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "-canary" not in "".join(traceback.format_exception(caught.value, limit=0))
    return str(caught.value)


def test_each_refusal_says_what_where_and_what_next(database: Database) -> None:
    port = database.url.rsplit(":", 1)[1].split("/")[0]
    name = database.url.rsplit("/", 1)[1]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        free = unused.getsockname()[1]
        says = refusal(database, url=database.url.replace(f":{port}/", f":{free}/"))
    assert says.startswith(
        f"PostgreSQL at 127.0.0.1:{free}, database {name} as postgres refuses connections: start"
    )
    says = refusal(database, url=database.url.replace("-canary@", "-wrong-canary@"))
    assert f"127.0.0.1:{port}, database {name} as postgres refuses the password" in says
    assert "database nowhere as postgres knows no such database" in refusal(
        database, url=database.url.replace(name, "nowhere")
    )
    assert "does not resolve" in refusal(
        database, url=database.url.replace("127.0.0.1", "no-such-host.invalid")
    )
    assert "has no table public.absent" in refusal(database, table="public.absent")
    assert "is not a PostgreSQL URL" in refusal(database, url="postgres//u:pw-canary@h/db")


def test_a_locked_table_is_told_in_time(database: Database) -> None:
    log = UsageLog(database, timeout_s=0.5)
    with psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE voice_usage_logs IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(DatabaseError, match=r"did not finish within 0\.5 s"):
            log.rows()
        assert time.monotonic() - started < 3
        other.rollback()
    assert log.rows() == []
    log.close()


def test_a_server_that_stopped_answering_is_told_in_time(database: Database) -> None:
    log = UsageLog(database, timeout_s=0.5)
    with log._server.reading() as connection:
        backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    # Once the first connection is given up, the second is served by another backend.
    try:
        assert log.rows() == []
    finally:
        os.kill(backend, signal.SIGCONT)
    log.close()


def test_a_connection_that_the_server_ended_is_replaced(database: Database, log: UsageLog) -> None:
    assert log.rows() == []
    execute(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'voice-v2-rollback'",
    )
    assert log.rows() == []


def test_a_port_that_never_speaks_postgres_is_told_in_time(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:p-canary@127.0.0.1:{silent.getsockname()[1]}/d"
        started = time.monotonic()
        assert "no connection within 2 s" in refusal(database, url=url)
        assert time.monotonic() - started < 5


def test_two_threads_share_one_log(database: Database, log: UsageLog) -> None:
    add(database, DAY_1)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(log.rows()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert seen == [1, 1, 1, 1]


def test_importing_does_not_import_psycopg() -> None:
    code = "import sys, target.database, target.record; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
