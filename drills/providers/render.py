"""Render the phrase catalogue: `python -m drills.providers.render` (or `make phrases`), needs espeak-ng.

Writes the speech of every phrase in every provider's voice, the recogniser's features of them, and
`checks/speech/`: a dozen of the same clips in several codecs for the checks, which know nothing of the
drills. The same espeak-ng and libsndfile give the same bytes; files of phrases that are gone are removed.
"""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from drills.providers import catalogue, oggpages, recognise
from drills.providers.catalogue import Language, Phrase, Provider
from drills.providers.sound import Clip, decode, encode, resample

RATE = 16000
CHECKS = Path(__file__).parents[2] / "checks" / "speech"


class Voice(NamedTuple):
    """espeak-ng's variant, words a minute, and pitch (0 to 99)."""

    variant: str
    speed: int
    pitch: int


VOICES: dict[Provider, Voice] = {
    "openai": Voice("f2", 165, 55),
    "google": Voice("m3", 155, 45),
    "yandex": Voice("f4", 145, 62),
}
ACCENTS: dict[Language, str] = {"ru": "ru", "en": "en-us"}


class Sample(msgspec.Struct, frozen=True):
    """A clip for the checks: `seconds` long, `rate` in Hz, in the voice of `voice`."""

    file: str
    language: Language
    text: str
    codec: str
    rate: int
    seconds: float
    voice: Provider


SAMPLES: tuple[tuple[str, Provider, str, int], ...] = (
    ("ru-rollback", "openai", "wav", 16000),
    ("ru-short", "google", "flac", 16000),
    ("ru-medium", "yandex", "ogg", 24000),
    ("ru-long", "openai", "mp3", 24000),
    ("ru-weather", "google", "wav", 8000),
    ("ru-backup", "yandex", "mp3", 16000),
    ("en-rollback", "google", "ogg", 48000),
    ("en-short", "openai", "wav", 16000),
    ("en-medium", "openai", "flac", 16000),
    ("en-library", "yandex", "mp3", 44100),
    ("en-train", "google", "ogg", 16000),
    ("en-fox", "yandex", "flac", 8000),
)
"""Phrase, voice, codec and rate (Hz) of what the checks get."""


def speak(text: str, language: Language, voice: Voice) -> Clip:
    """The text as espeak-ng says it, 16 kHz mono, its peak at half of full scale.

    Raises FileNotFoundError without espeak-ng and CalledProcessError where it fails.
    """
    command = ["espeak-ng", "-v", f"{ACCENTS[language]}+{voice.variant}", "-s", str(voice.speed)]
    command += ["-p", str(voice.pitch), "--stdout", "--stdin"]
    spoken = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=30)
    clip = resample(decode(spoken.stdout), RATE)
    return Clip(clip.samples * np.float32(0.5 / np.abs(clip.samples).max()), RATE, "WAV")


def stored(clip: Clip, codec: str) -> bytes:
    """The clip as it is kept in the repository: the same bytes at every rendering."""
    data = encode(clip, codec)
    return oggpages.with_serial(data, 1) if codec == "ogg" else data


def _render(provider: Provider, phrase: Phrase) -> None:
    target = catalogue.path(provider, phrase.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(stored(speak(phrase.text, phrase.language, VOICES[provider]), "ogg"))


def _render_features() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **recognise.measure_catalogue())
    recognise.FEATURES.write_bytes(buffer.getvalue())


def _render_samples() -> None:
    CHECKS.mkdir(parents=True, exist_ok=True)
    texts = {phrase.id: phrase for phrase in catalogue.phrases()}
    samples = []
    for phrase_id, voice, codec, rate in SAMPLES:
        phrase = texts[phrase_id]
        clip = resample(catalogue.audio(voice, phrase_id), rate)
        file = f"{phrase_id}.{codec}"
        (CHECKS / file).write_bytes(stored(clip, codec))
        samples.append(Sample(file, phrase.language, phrase.text, codec, rate, round(clip.seconds, 2), voice))
    (CHECKS / "speech.yaml").write_bytes(msgspec.yaml.encode(samples))


def _remove_leftovers() -> None:
    wanted = {catalogue.path(provider, p.id) for provider in VOICES for p in catalogue.phrases()}
    for file in set(catalogue.FOLDER.glob("*/*.ogg")) - wanted:
        file.unlink()
    listed = {f"{phrase_id}.{codec}" for phrase_id, _, codec, _ in SAMPLES} | {"speech.yaml"}
    for file in CHECKS.iterdir():
        if file.name not in listed:
            file.unlink()


def main() -> int:
    """Render everything; 0 when done, 1 with one line on stderr where espeak-ng is missing or fails."""
    try:
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(_render, provider, p) for provider in VOICES for p in catalogue.phrases()]
            for job in jobs:
                job.result()
    except FileNotFoundError:
        print(
            "espeak-ng is not installed; install it (apt-get install espeak-ng) and run again",
            file=sys.stderr,
        )
        return 1
    except subprocess.CalledProcessError as error:
        print(f"espeak-ng failed: {error.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        return 1
    catalogue.audio.cache_clear()
    _render_features()
    _render_samples()
    _remove_leftovers()
    print(
        f"{len(catalogue.phrases())} phrases in {len(VOICES)} voices, {len(SAMPLES)} samples for the checks"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
