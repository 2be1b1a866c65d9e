"""The target file of a stack, so that every command of the suite can be pointed at it."""

from pathlib import Path
from typing import Literal

import yaml

from drills.stacks import database, service
from drills.stacks.layout import LOOPBACK, Layout, Ports, Secrets, write_private
from drills.stacks.storage import BACKUP_BUCKET, BUCKET


def write(
    layout: Layout,
    ports: Ports,
    secrets: Secrets,
    *,
    file: Path,
    host: str,
    control: dict[str, object],
    reader: Literal["python-dotenv", "systemd"],
    tools: Path,
    wheelhouse: Path | None = None,
) -> None:
    """Write a target file and the secrets that it names, `secrets.env` (mode 0600).

    `host` is the URL of where its commands run, `control` what its `service` says, `reader` who reads `.env`, and
    `tools` the folder of PostgreSQL's programs there; `wheelhouse` that of wheels, where packages come from there.
    """
    provider_ports = {"openai": ports.openai, "google": ports.google, "yandex": ports.yandex}
    described = {
        "name": "drill",
        "secrets_file": layout.target_secrets.name,
        "hosts": [host],
        "state_dir": str(layout.state),
        "api": {
            "url": f"http://{LOOPBACK}:{ports.api}",
            "token": "${DRILL_API_TOKEN}",
            "headers": {
                "provider": "X-Voice-Provider",
                "mark": "X-Voice-Client",
                "skip_providers": "X-Voice-Skip-Providers",
            },
        },
        "service": control,
        "environment": {
            "file": str(layout.environment),
            "previous": str(layout.environment_previous),
            "reader": reader,
            "required": list(service.REQUIRED),
        },
        "code": {
            "checkout": str(layout.service),
            "backups": f"{layout.backups}/voice_v2_%Y%m%d",
            **({"wheelhouse": str(wheelhouse)} if wheelhouse else {}),
        },
        "virtualenv": {"path": str(layout.venv), "backup": str(layout.backups / "venv")},
        "objects": {
            "endpoint": f"{LOOPBACK}:{ports.s3}",
            "secure": False,
            "access_key": "${DRILL_S3_ACCESS_KEY}",
            "secret_key": "${DRILL_S3_SECRET_KEY}",
            "bucket": BUCKET,
            "backup_bucket": BACKUP_BUCKET,
        },
        "database": {
            "url": "${DRILL_DATABASE_URL}",
            "mark_column": "client",
            "admin_url": "${DRILL_DATABASE_ADMIN_URL}",
            "dumps": str(layout.backups / "voice_usage_logs_%Y%m%dT%H%M%SZ.dump"),
            "tools": str(tools),
        },
        "providers": [
            {
                "name": name,
                "kind": name,
                "key": f"{name.upper()}_API_KEY",
                **({"folder": "YANDEX_FOLDER_ID"} if name == "yandex" else {}),
                "url": f"http://{LOOPBACK}:{port}",
            }
            for name, port in provider_ports.items()
        ],
        "provider_settings": {"stt": "STT_PROVIDERS", "tts": "TTS_PROVIDERS"},
    }
    values = {
        "DRILL_API_TOKEN": secrets.api_token,
        "DRILL_S3_ACCESS_KEY": secrets.s3_access_key,
        "DRILL_S3_SECRET_KEY": secrets.s3_secret_key,
        "DRILL_DATABASE_URL": database.url(ports, secrets.database_password),
        "DRILL_DATABASE_ADMIN_URL": database.url(ports, secrets.database_password, role=database.ADMIN),
    }
    write_private(layout.target_secrets, "".join(f"{name}={value}\n" for name, value in values.items()))
    head = "# The stack in this folder; made with it, and as short-lived.\n"
    write_private(file, head + yaml.safe_dump(described, sort_keys=False))
