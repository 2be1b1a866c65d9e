"""The speech that the checks send: real recordings beside this file, and the runbook's own texts to be spoken."""

from functools import cache
from pathlib import Path

import msgspec

FOLDER = Path(__file__).with_name("speech")


class Phrase(msgspec.Struct, frozen=True):
    """A text to be spoken; `language` is `ru` or `en`."""

    text: str
    language: str


class Clip(msgspec.Struct, frozen=True):
    """A recording: what is said in it, in which language, in which codec (wav, flac, ogg, mp3)."""

    file: str
    language: str
    text: str
    codec: str
    rate: int
    seconds: float
    voice: str

    def audio(self) -> bytes:
        """The bytes of the file."""
        return _bytes(self.file)


PERFORMANCE_TEXTS = (
    Phrase("Короткий тест", "ru"),
    Phrase("Средний по длине тест для проверки производительности", "ru"),
    Phrase(
        "Длинный тест для проверки производительности системы после отката изменений в production environment",
        "ru",
    ),
)
"""The runbook's three texts for the performance check, word for word."""


@cache
def clips() -> tuple[Clip, ...]:
    """Every recording, in the order of `speech.yaml`."""
    import yaml

    return msgspec.convert(yaml.safe_load((FOLDER / "speech.yaml").read_text("utf-8")), type=tuple[Clip, ...])


@cache
def phrases() -> tuple[Phrase, ...]:
    """The texts to be spoken: the runbook's three, then those of the recordings, each once."""
    recorded = (Phrase(clip.text, clip.language) for clip in clips())
    return tuple(dict.fromkeys((*PERFORMANCE_TEXTS, *recorded)))


@cache
def _bytes(file: str) -> bytes:
    return (FOLDER / file).read_bytes()
