"""What the voice-v2 service of any stack is told: the variables of its environment file."""

import msgspec

from drills.stacks.database import DATABASE, ROLE
from drills.stacks.layout import Layout, Secrets, write_private
from drills.stacks.storage import BUCKET

NAME = "voice-v2"
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


class Addresses(msgspec.Struct, frozen=True):
    """Where the service finds the other parts, each HOST:PORT."""

    database: str
    storage: str
    openai: str
    google: str
    yandex: str


def environment(addresses: Addresses, secrets: Secrets) -> dict[str, str]:
    """The variables of a healthy `.env`."""
    return {
        "DATABASE_URL": f"postgresql://{ROLE}:{secrets.database_password}@{addresses.database}/{DATABASE}",
        "S3_ENDPOINT": addresses.storage,
        "S3_SECURE": "false",
        "S3_ACCESS_KEY": secrets.s3_access_key,
        "S3_SECRET_KEY": secrets.s3_secret_key,
        "S3_BUCKET": BUCKET,
        "API_TOKEN": secrets.api_token,
        "OPENAI_API_KEY": secrets.openai_api_key,
        "OPENAI_BASE_URL": f"http://{addresses.openai}",
        "GOOGLE_API_KEY": secrets.google_api_key,
        "GOOGLE_BASE_URL": f"http://{addresses.google}",
        "YANDEX_API_KEY": secrets.yandex_api_key,
        "YANDEX_FOLDER_ID": secrets.yandex_folder,
        "YANDEX_BASE_URL": f"http://{addresses.yandex}",
        "STT_PROVIDERS": "openai,google,yandex",
        "TTS_PROVIDERS": "openai,google,yandex",
        "PROVIDER_TIMEOUT_S": "10",
    }


def write_environment(layout: Layout, addresses: Addresses, secrets: Secrets) -> None:
    """Write `.env` and the equal `.env.previous`, mode 0600."""
    lines = [f"{name}={value}\n" for name, value in environment(addresses, secrets).items()]
    text = "# voice-v2\n" + "".join(lines)
    for path in (layout.environment, layout.environment_previous):
        write_private(path, text)
