"""`stack.yaml`: what every image of the containers stack is called."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from drills.stacks.errors import StackError

FILE = Path(__file__).with_name("stack.yaml")
OURS = "voice-v2-drill/"
# The image has no other program for it.
_HEALTH = (
    "CMD",
    "venv/bin/python",
    "-c",
    "import urllib.request as it; it.urlopen('http://127.0.0.1:8000/health', timeout=4)",
)
_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")


class Service(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """The service as images, the newest release and the stable one; the rest is what a team's own needs.

    `environment` maps its variables to text with `${NAME}` of ours, `target` replaces keys of the target file.
    """

    latest: str
    previous_stable: str
    port: int = 8000
    health: tuple[str, ...] = _HEALTH
    environment: dict[str, str] = {}
    target: dict[str, Any] = {}

    def variables(self, ours: Mapping[str, str]) -> dict[str, str]:
        """What its environment file says. Raises StackError: a `${NAME}` that there is not."""
        if not self.environment:
            return dict(ours)
        try:
            return {name: Template(text).substitute(ours) for name, text in self.environment.items()}
        except KeyError as error:
            raise StackError(
                f"stack.yaml: voice-v2.environment: there is no ${{{error.args[0]}}}; there is: {', '.join(ours)}"
            ) from None
        except ValueError as error:
            raise StackError(f"stack.yaml: voice-v2.environment: {error}; a literal $ is $$") from None

    def called(self, name: str) -> str | None:
        """Which of its variables is ours of that name; None when none is."""
        if not self.environment:
            return name
        alone = {f"${{{name}}}", f"${name}"}
        return next((its for its, text in self.environment.items() if text in alone), None)


class Public(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public images, each by its digest, for what would be built otherwise."""

    base: str | None = None
    minio: str | None = None
    postgres: str | None = None


class Images(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """The image of every part."""

    base: str
    python: str
    host: str
    minio: str
    postgres: str
    stand_ins: str
    packages: str
    voice_v2: Service
    public: Public = Public()

    def all(self) -> dict[str, str]:
        """Part to image, parents first."""
        return {
            "base": self.base,
            "python": self.python,
            "host": self.host,
            "minio": self.minio,
            "postgres": self.postgres,
            "stand-ins": self.stand_ins,
            "packages": self.packages,
            "voice-v2.previous-stable": self.voice_v2.previous_stable,
            "voice-v2.latest": self.voice_v2.latest,
        }


def read(file: Path | None = None) -> Images:
    """What the file (`stack.yaml`) says. Raises StackError naming the file and what is wrong in it."""
    file = file or FILE
    try:
        images = msgspec.yaml.decode(file.read_bytes(), type=Images)
    except OSError as error:
        raise StackError(f"cannot read {file}: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StackError(f"{file}: {error}") from error
    for part, name in images.all().items():
        if not _NAME.fullmatch(name):
            raise StackError(f"{file}: {part}: {name!r} is no name of an image")
    for part in Public.__struct_fields__:
        public = getattr(images.public, part)
        if public is not None and not _PINNED.fullmatch(public):
            raise StackError(
                f"{file}: public.{part}: {public!r} has no digest; write NAME@sha256:… so that it cannot change"
            )
    return images
