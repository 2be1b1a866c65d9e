"""The voice-v2 service of an embedded stack: its environment, its schema, its process."""

from drills.stacks.processes import postgres
from drills.stacks.processes.commands import Commands
from drills.stacks.processes.layout import LOOPBACK, Layout, Ports, Secrets, write_private
from drills.stacks.processes.storage import BUCKET
from drills.stacks.processes.supervision import Program, base_environment

NAME = "voice-v2"
_MIGRATE_S = 60.0
# Without these the service does not start, so no environment file may come without them.
REQUIRED = (
    "DATABASE_URL",
    "S3_ENDPOINT",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_BUCKET",
    "API_TOKEN",
    "OPENAI_API_KEY",
    "GOOGLE_API_KEY",
    "YANDEX_API_KEY",
    "YANDEX_FOLDER_ID",
)


def environment(ports: Ports, secrets: Secrets) -> dict[str, str]:
    """The variables of a healthy `.env`."""
    return {
        "DATABASE_URL": postgres.url(ports, secrets.database_password),
        "S3_ENDPOINT": f"{LOOPBACK}:{ports.s3}",
        "S3_SECURE": "false",
        "S3_ACCESS_KEY": secrets.s3_access_key,
        "S3_SECRET_KEY": secrets.s3_secret_key,
        "S3_BUCKET": BUCKET,
        "API_TOKEN": secrets.api_token,
        "OPENAI_API_KEY": secrets.openai_api_key,
        "OPENAI_BASE_URL": f"http://{LOOPBACK}:{ports.openai}",
        "GOOGLE_API_KEY": secrets.google_api_key,
        "GOOGLE_BASE_URL": f"http://{LOOPBACK}:{ports.google}",
        "YANDEX_API_KEY": secrets.yandex_api_key,
        "YANDEX_FOLDER_ID": secrets.yandex_folder,
        "YANDEX_BASE_URL": f"http://{LOOPBACK}:{ports.yandex}",
        "STT_PROVIDERS": "openai,google,yandex",
        "TTS_PROVIDERS": "openai,google,yandex",
        "PROVIDER_TIMEOUT_S": "10",
    }


def write_environment(layout: Layout, ports: Ports, secrets: Secrets) -> None:
    """Write `.env` and the equal `.env.previous`, mode 0600."""
    lines = [f"{name}={value}\n" for name, value in environment(ports, secrets).items()]
    text = "# voice-v2\n" + "".join(lines)
    for path in (layout.environment, layout.environment_previous):
        write_private(path, text)


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
