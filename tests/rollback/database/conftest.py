"""The tiny deployment with a usage log in a real PostgreSQL, its record, and a dump of it."""

import gzip
import subprocess
import uuid

import psycopg
import pytest

from target.database import UsageLog
from target.description import Database
from target.host import Host
from target.record import DatabaseRecord, Record, Records
from tests.postgres_server import TABLE, new_database, programs
from tests.rollback.place import GOOD

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")
ROWS_A_DAY = 4


class Log:
    """The usage log as a person with psql would treat it, and what the whole cluster holds."""

    def __init__(self, place, url):
        self.place = place
        self.url = url
        self.name = url.rpartition("/")[2]
        self.dumps = place.folder / "dumps"

    def sql(self, *statements):
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def add(self, day, number=1, **columns):
        for _ in range(number):
            row = {"request_id": str(uuid.uuid4()), "operation": "tts", "status": "ok", **columns}
            names, marks = ", ".join(row), ", ".join("%s" for _ in row)
            with psycopg.connect(self.url) as connection:
                connection.execute(
                    f"INSERT INTO voice_usage_logs (created_at, {names}) VALUES (%s, {marks})",
                    (f"{day}T12:00:00Z", *row.values()),
                )

    def rows(self):
        return self.sql("SELECT * FROM voice_usage_logs ORDER BY id, ctid")

    def state(self):
        """Everything of the cluster that an action could change: rows, sequence, indexes, tables, databases, roles."""
        there = self.sql("SELECT to_regclass('voice_usage_logs') IS NOT NULL")[0][0]
        own = (
            (self.rows(), self.sql("SELECT last_value, is_called FROM voice_usage_logs_id_seq"))
            if there
            else ()
        )
        return own, self.sql(
            "SELECT array(SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1), "
            "array(SELECT (n.nspname, relname, relkind, relacl::text, pg_get_userbyid(relowner))::text "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1), "
            "array(SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1), "
            "array(SELECT datname FROM pg_database ORDER BY 1), array(SELECT rolname FROM pg_roles ORDER BY 1), "
            "array(SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_t' ORDER BY 1)"
        )

    def dump(self, name="log_20261123.dump", *options, table="voice_usage_logs"):
        """A dump by pg_dump: custom, plain (`.sql`), inside gzip (`.gz`)."""
        path = self.dumps / name
        words = [str(programs() / "pg_dump"), "-d", self.url, "-t", table, "-t", "alembic_version", *options]
        form = "plain" if ".sql" in name else "custom"
        done = subprocess.run([*words, "-F", form], check=True, capture_output=True, timeout=60)
        path.write_bytes(gzip.compress(done.stdout) if name.endswith(".gz") else done.stdout)
        return path

    def record(self, name="2.3.1", **changes):
        """Record the database as it is now."""
        log = UsageLog(Database(url=self.url))
        facts = log.facts()
        log.close()
        taken = {
            "system_identifier": facts.system_identifier,
            "revision": facts.revision,
            "columns": facts.columns,
            "indexes": facts.indexes,
            "rows_per_day": facts.rows_per_day,
            **changes,
        }
        Records(Host("local://"), str(self.place.state)).save(
            Record(
                name=name,
                version="2.3.1",
                revision=None,
                taken_at="2026-11-23T00:00:00Z",
                taken_by="test",
                state="healthy",
                database=DatabaseRecord(**taken),
            )
        )

    def fresh(self):
        """The table as it was made, with rows of three days, recorded and dumped."""
        for path in self.dumps.glob("*"):
            path.unlink()
        self.dumps.mkdir(exist_ok=True)
        self.sql(
            "DROP SCHEMA IF EXISTS voice_rollback CASCADE",
            "DROP TABLE IF EXISTS voice_usage_logs, alembic_version CASCADE",
            *TABLE.strip().rstrip(";").split(";"),
        )
        self.place.reset(env=GOOD)
        self.place.write_target(
            database={
                "url": "${LOG_URL}",
                "admin_url": "${LOG_URL}",
                "dumps": str(self.dumps / "log_%Y%m%d.dump"),
                "tools": str(programs()),
            }
        )
        for day in DAYS:
            self.add(day, ROWS_A_DAY)
        self.record()
        self.dump()


@pytest.fixture(scope="session")
def _url(postgres):
    return new_database(postgres)


@pytest.fixture
def log(quick, _url, monkeypatch) -> Log:
    """A usage log with rows of three days, recorded and dumped; the dump is the newest of its kind."""
    monkeypatch.setenv("LOG_URL", _url)
    made = Log(quick, _url)
    made.fresh()
    return made
