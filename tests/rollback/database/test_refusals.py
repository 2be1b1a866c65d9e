"""What is not restored: nothing was changed then, and the message says what, where, and what next."""

import gzip
import shutil

import pytest

from tests.postgres_server import programs

pytestmark = [pytest.mark.drill, pytest.mark.covers("database", "refused")]


def refused(log, *words, code=5):
    state, files = log.state(), log.place.inventory()
    found, out = log.place.run("database", *words)
    assert (found, log.state(), log.place.inventory()) == (code, state, files), out
    assert "Traceback" not in out
    assert "canary" not in out
    if code == 5:
        assert "othing was changed" in " ".join(out.split()), out
    return " ".join(out.split())


@pytest.mark.parametrize("name", ["log_20261123.dump", "a.sql", "b.sql.gz", "c.dump.gz"])
@pytest.mark.parametrize("keep", [0.97, 0.5, 0.0])
def test_a_truncated_dump(log, name, keep):
    log.add("2026-11-20", 40)
    whole = log.dump(name)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * keep)])
    out = refused(log, "--to", str(whole))
    assert any(word in out for word in ("truncated", "cut short", "is empty", "does not restore")), out


def test_a_gzip_that_lost_its_checksum(log):
    path = log.dump("c.dump.gz")
    path.write_bytes(path.read_bytes()[:-4])
    assert "truncated or damaged (gzip)" in refused(log, "--to", str(path))


@pytest.mark.parametrize(
    "content", [b"\0" * 4000, b"SELECT 1;\n", gzip.compress(b"hello", mtime=0), b"PGDMP"]
)
def test_what_is_no_dump(log, content):
    path = log.dumps / "log_20261124.dump"
    path.write_bytes(content)
    refused(log)


def test_a_dump_of_another_table(log):
    log.sql("DROP TABLE IF EXISTS others", "CREATE TABLE others (id bigint PRIMARY KEY)")
    path = log.dump("other.sql", table="others")
    assert (
        "has no rows of public.voice_usage_logs: it is a dump of public.alembic_version, public.others"
        in refused(log, "--to", str(path))
    )
    log.sql("DROP TABLE others")


def test_a_dump_of_inserts_and_one_of_the_whole_cluster(log):
    path = log.dump("inserts.sql", "--inserts")
    assert "as INSERT statements" in refused(log, "--to", str(path))
    path.write_text("--\n-- PostgreSQL database cluster dump\n--\n")
    assert "pg_dumpall" in refused(log, "--to", str(path))


def test_a_newer_schema(log):
    log.sql(
        "ALTER TABLE voice_usage_logs ADD COLUMN tenant text",
        "UPDATE alembic_version SET version_num = '0004'",
    )
    path = log.dump()
    log.sql(
        "ALTER TABLE voice_usage_logs DROP COLUMN tenant", "UPDATE alembic_version SET version_num = '0003'"
    )
    assert "the dump's schema is ahead: its revision is 0004, which no record knows" in refused(log)
    log.record(name="2.4.0", revision="0004")
    assert "schema is ahead" in refused(log, "--to", str(path))


def test_an_older_schema(log):
    log.sql("ALTER TABLE voice_usage_logs ADD COLUMN tenant text")
    assert "it lacks tenant (older schema)" in refused(log)


def test_another_cluster_than_the_record_says(log):
    shutil.rmtree(log.place.state / "records")
    log.record(system_identifier="7100000000000000000")
    assert "another PostgreSQL cluster than that of the record 2.3.1" in refused(log)


def test_two_urls_that_lead_to_different_databases(log, monkeypatch):
    monkeypatch.setenv("OTHER_URL", log.url.replace(log.name, "postgres"))
    log.place.write_target(
        database={
            "url": "${LOG_URL}",
            "admin_url": "${OTHER_URL}",
            "dumps": str(log.dumps / "log_%Y%m%d.dump"),
            "tools": str(programs()),
        }
    )
    assert "`database.admin_url` leads to another database (postgres" in refused(log)


def test_a_role_that_may_not_is_told_what_to_grant(log, monkeypatch, request):
    log.sql(
        "CREATE ROLE weak LOGIN PASSWORD 'weak-canary'", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak"
    )
    request.addfinalizer(lambda: log.sql("DROP OWNED BY weak", "DROP ROLE weak"))
    head, tail = log.url.split("://")[0], log.url.split("@")[1]
    monkeypatch.setenv("WEAK_URL", f"{head}://weak:weak-canary@{tail}")
    log.place.write_target(
        database={
            "url": "${LOG_URL}",
            "admin_url": "${WEAK_URL}",
            "dumps": str(log.dumps / "log_%Y%m%d.dump"),
            "tools": str(programs()),
        }
    )
    out = refused(log)
    assert "weak may not restore: as a superuser, ALTER ROLE weak CREATEDB; ALTER ROLE weak CREATEROLE" in out
    assert "GRANT postgres TO weak" in out


def test_programs_that_are_missing_or_older(log, tmp_path):
    for name, version in (("pg_restore", "15.18"), ("psql", "15.18"), ("pg_dump", "15.18")):
        # A stand-in for an older release, which this machine need not have: its version, then the real program.
        script = tmp_path / name
        script.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{name} (PostgreSQL) {version}"; exit; }}\n'
            f'exec {programs() / name} "$@"\n'
        )
        script.chmod(0o755)
    where = {"url": "${LOG_URL}", "admin_url": "${LOG_URL}", "dumps": str(log.dumps / "log_%Y%m%d.dump")}
    log.place.write_target(database={**where, "tools": str(tmp_path)})
    assert "is version 15, older than the server, version 18" in refused(log)
    (tmp_path / "pg_restore").unlink()
    assert "there is no" in refused(log)


def test_no_dump_and_an_unknown_one(log):
    assert "no dump 2026-01-01 on local://" in refused(log, "--to", "2026-01-01")
    (log.dumps / "log_20261123.dump").unlink()
    assert "no dump on local:// is called" in refused(log)
    assert "cannot be read: not a file" in refused(log, "--to", "/nowhere.dump")


def test_too_little_room(log, monkeypatch):
    monkeypatch.setattr("rollback.actions.database.room._TIMES", 10**15)
    assert "free some there" in refused(log)


def test_a_partitioned_table(log):
    log.sql(
        "ALTER TABLE voice_usage_logs RENAME TO aside",
        "CREATE TABLE voice_usage_logs (LIKE aside) PARTITION BY RANGE (created_at)",
        "CREATE SEQUENCE IF NOT EXISTS voice_usage_logs_id_seq",
    )
    assert "is a partitioned table" in refused(log)
    log.sql("DROP TABLE voice_usage_logs, aside CASCADE")


@pytest.mark.parametrize(
    "smuggled",
    [
        "\\! touch /tmp/smuggled",
        "\\connect postgres",
        "DROP TABLE public.voice_usage_logs",
        "COPY public.voice_usage_logs FROM PROGRAM 'touch /tmp/smuggled'",
    ],
)
def test_a_dump_that_somebody_wrote_into(log, smuggled):
    path = log.dump("a.sql")
    text = path.read_text()
    marker = "ALTER TABLE public.voice_usage_logs OWNER"
    assert marker in text
    path.write_text(
        text.replace(marker, f"{smuggled};\n{marker}" if smuggled[0] != "\\" else f"{smuggled}\n{marker}")
    )
    out = refused(log, "--to", str(path))
    assert "does not write" in out


def test_a_target_that_does_not_say_how(log):
    log.place.write_target(database={"url": "${LOG_URL}"})
    assert "no `database.admin_url`" in refused(log, code=4)
