"""The voice-v2 service of an embedded stack: its schema and its process."""

from drills.stacks.commands import Commands, base_environment
from drills.stacks.layout import LOOPBACK, Layout
from drills.stacks.processes.layout import Ports
from drills.stacks.processes.supervision import Program
from drills.stacks.service import NAME, Addresses

_MIGRATE_S = 60.0


def addresses(ports: Ports) -> Addresses:
    """Where the service finds the other parts: behind the network."""
    return Addresses(
        database=f"{LOOPBACK}:{ports.way_postgres}",
        storage=f"{LOOPBACK}:{ports.way_storage}",
        openai=f"{LOOPBACK}:{ports.way_openai}",
        google=f"{LOOPBACK}:{ports.way_google}",
        yandex=f"{LOOPBACK}:{ports.way_yandex}",
    )


def migrate(commands: Commands, layout: Layout) -> None:
    """Bring the schema up to the code's newest revision, as a deployment would."""
    command = [str(layout.venv / "bin" / "python"), "-m", "alembic", "upgrade", "head"]
    commands.must(
        "database schema", command, cwd=layout.service, environment=base_environment(), timeout_s=_MIGRATE_S
    )


def program(layout: Layout, ports: Ports) -> Program:
    """The service under supervisord."""
    return Program(
        name=NAME,
        command=[
            str(layout.venv / "bin" / "python"),
            *("-m", "uvicorn", "app.main:app"),
            *("--host", LOOPBACK, "--port", str(ports.service), "--no-access-log"),
        ],
        directory=layout.service,
        environment={"PYTHONUNBUFFERED": "1"},
        restart="true",
    )
