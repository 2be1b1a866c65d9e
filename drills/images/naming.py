"""`stack.yaml`: what every image of the containers stack is called."""

import re
from pathlib import Path

import msgspec

from drills.stacks.errors import StackError

FILE = Path(__file__).with_name("stack.yaml")
OURS = "voice-v2-drill/"
_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")


class Releases(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """The images of the service: the newest release, and the stable one that the compose project goes back to."""

    latest: str
    previous_stable: str


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
    voice_v2: Releases
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


def read(file: Path = FILE) -> Images:
    """What the file says. Raises StackError naming the file and what is wrong in it."""
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
