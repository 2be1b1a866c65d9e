"""The target file of a stack, so that every command of the suite can be pointed at it."""

import yaml

from drills.stacks.processes import postgres, service
from drills.stacks.processes.layout import LOOPBACK, Layout, Ports, Secrets, write_private
from drills.stacks.processes.storage import BACKUP_BUCKET, BUCKET


def write(layout: Layout, ports: Ports, secrets: Secrets, supervisorctl: str) -> None:
    """Write `target.yaml` and the secrets that it names, `secrets.env` (mode 0600)."""
    provider_ports = {"openai": ports.openai, "google": ports.google, "yandex": ports.yandex}
    described = {
        "name": "drill",
        "secrets_file": layout.target_secrets.name,
        "hosts": ["local://"],
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
        "service": {
            "supervisor": {
                "config": str(layout.supervisor_config),
                "program": service.NAME,
                "supervisorctl": supervisorctl,
            }
        },
        "environment": {
            "file": str(layout.environment),
            "previous": str(layout.environment_previous),
            "reader": "python-dotenv",
            "required": list(service.REQUIRED),
        },
        "code": {"checkout": str(layout.service), "backups": f"{layout.backups}/voice_v2_%Y%m%d"},
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
            "tools": str(postgres.binaries()),
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
        "DRILL_DATABASE_URL": postgres.url(ports, secrets.database_password),
        "DRILL_DATABASE_ADMIN_URL": postgres.url(ports, secrets.database_password, role=postgres.ADMIN),
    }
    write_private(layout.target_secrets, "".join(f"{name}={value}\n" for name, value in values.items()))
    head = "# The embedded stack in this folder; made with it, and as short-lived.\n"
    write_private(layout.target_file, head + yaml.safe_dump(described, sort_keys=False))
