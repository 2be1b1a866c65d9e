"""The phrase catalogue: what the stand-ins can say and what they can recognise.

`phrases/catalogue.yaml` holds the texts, `phrases/<provider>/<id>.ogg` the speech (16 kHz mono Opus, a
voice of its own for each provider), rendered by `python -m drills.providers.render`.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import Literal, get_args

import msgspec

from drills.providers.sound import Clip, decode

Language = Literal["ru", "en"]
Provider = Literal["openai", "google", "yandex"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
_TAGS: dict[str, Language] = {"ru": "ru", "russian": "ru", "en": "en", "english": "en"}
FOLDER = Path(__file__).parent / "phrases"


class Phrase(msgspec.Struct, frozen=True):
    """One phrase: `id` names its files, `text` is what is said."""

    id: str
    language: Language
    text: str


@functools.cache
def phrases() -> tuple[Phrase, ...]:
    """Every phrase, in the order of the file."""
    return msgspec.yaml.decode((FOLDER / "catalogue.yaml").read_bytes(), type=tuple[Phrase, ...])


def path(provider: Provider, phrase_id: str) -> Path:
    """Where the speech of one phrase in one provider's voice lies."""
    return FOLDER / provider / f"{phrase_id}.ogg"


@functools.lru_cache(maxsize=256)
def audio(provider: Provider, phrase_id: str) -> Clip:
    """The speech of one phrase in one provider's voice, 16 kHz mono.

    Raises KeyError for a phrase that the catalogue has not.
    """
    if all(phrase.id != phrase_id for phrase in phrases()):
        raise KeyError(phrase_id)
    return decode(path(provider, phrase_id).read_bytes())


def find(text: str) -> Phrase | None:
    """The phrase with this text, whatever its case, punctuation and spacing; None where there is none."""
    return _by_text().get(normalised(text))


def normalised(text: str) -> str:
    """Lower case, ё as е, no punctuation, single spaces."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("ё", "е")
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


@functools.cache
def _by_text() -> dict[str, Phrase]:
    return {normalised(phrase.text): phrase for phrase in phrases()}


def other(phrase: Phrase, language: Language) -> Phrase:
    """Another phrase of that language: the next one in the file, the same one at every call."""
    peers = [p for p in phrases() if p.language == language]
    if phrase not in peers:
        return peers[phrases().index(phrase) % len(peers)]
    return peers[(peers.index(phrase) + 1) % len(peers)]


def language_of(tag: str) -> Language | None:
    """`ru`, `ru-RU`, `en_US`, `russian`, … as a language of the catalogue; None for any other."""
    head = tag.strip().casefold().replace("_", "-").split("-")[0]
    return _TAGS.get(head)
