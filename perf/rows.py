"""A usage log that has lost a million rows, of which there is a dump: for `make bench`."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from target.description import Target

MILLION = 1_000_000
_DUMP_S = 300.0
# All on one day before the stack's own past; what they say is as long as what the service writes.
_FILL = """
INSERT INTO voice_usage_logs (created_at, request_id, operation, provider, language, status, duration_ms, audio_key,
  audio_sha256, audio_bytes, characters)
SELECT date_trunc('day', now()) - interval '30 days' + number * interval '80 ms', gen_random_uuid(), 'tts', 'openai',
  'en', 'ok', number %% 3000, 'tts/2025/08/02/' || gen_random_uuid() || '.ogg', md5(number::text) || md5(number::text),
  number %% 90000, number %% 200
FROM generate_series(1, %(rows)s) AS number
"""
_LOSE = "DELETE FROM voice_usage_logs WHERE created_at < now() - interval '20 days'"


def lose(target: Target, rows: int = MILLION) -> None:
    """Write that many rows, dump the table under a name that the action takes for its newest, delete them again."""
    database = target.database
    assert database is not None
    assert database.admin_url is not None
    assert database.dumps is not None
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute(_FILL, {"rows": rows})
        folder, _, name = database.dumps.rpartition("/")
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = f"{folder}/{datetime.now(UTC).strftime(name)}"
        parts = connection.info
        command = [
            f"{database.tools}/pg_dump",
            "-Fc",
            "-f",
            path,
            "-t",
            database.table,
            "-t",
            "alembic_version",
        ]
        where = {
            "PGHOST": parts.host,
            "PGPORT": str(parts.port),
            "PGUSER": parts.user,
            "PGPASSWORD": parts.password,
            "PGDATABASE": parts.dbname,
        }
        subprocess.run(command, env={**os.environ, **where}, check=True, capture_output=True, timeout=_DUMP_S)
        connection.execute(_LOSE)
        connection.execute("VACUUM ANALYZE voice_usage_logs")
