"""Recognise a phrase of the catalogue by its sound. Everything else is honestly not recognised.

A clip becomes 20 mel bands (150 to 3600 Hz, so that a telephone is enough) every 10 ms, as levels between 0
(30 dB below the loudest frames, or quieter) and 1. The first 0.96 s after the onset pick a few candidates by
cosine; each of those is then laid over the clip at the best lag, levels under 0.12 (26 dB below the loudest,
where noise at 20 dB lives) count as equal, and the worst 140 ms of the mean absolute level difference
decides. One changed word is therefore seen, however long the phrase.

Measured on 432 clips of the catalogue (each of its 144 three times, through WAV, FLAC, Opus or MP3 at 8 to
48 kHz, at half, whole or double amplitude, every other one with white noise at 20 dB, up to 0.8 s of silence
before and after): all recognised, difference 0.029 at most, 0.020 at the 95th percentile. On 240 clips of 40
phrases outside the catalogue in the same voices, most of them one word away from one inside: 0.100 at least.
LIMIT lies between the two, at about the geometric mean. A clip takes about 6 ms.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drills.providers import catalogue
from drills.providers.catalogue import PROVIDERS, Language, Phrase, Provider
from drills.providers.sound import Clip, resample

FEATURES: Path = catalogue.FOLDER / "features.npz"
"""The levels of every clip of the catalogue, measured once by `drills.providers.render`."""

LIMIT = 0.055
"""The largest difference of the worst 140 ms (levels, 0 to 1) at which a clip is still taken for a phrase."""

Levels = NDArray[np.float32]

_RATE = 8000
_WINDOW = 256
_HOP = 80
_BANDS = 20
_RANGE_DB = 30
_LOUD_FRAMES = 20
_SILENT_DB = -55.0
_ONSET = 8 / 30
_CANDIDATES = 5
_HEAD, _HEAD_STEP = 96, 4
_HEAD_SHIFTS = range(-15, 16, 3)
_LAGS = range(-24, 25, 3)
_WORST = 14
_LONGER = 60
_FLOOR = np.float32(0.12)


class Template(NamedTuple):
    """One clip of the catalogue: its levels from onset to end."""

    phrase: Phrase
    levels: Levels


class Heard(NamedTuple):
    """What was heard: silence, or a phrase, or (neither) something that is not recognised."""

    silent: bool
    phrase: Phrase | None


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Triangular mel filters, (frequencies, bands)."""
    low, high = 1127 * np.log1p(np.array([150, 3600]) / 700)
    edges = 700 * np.expm1(np.linspace(low, high, _BANDS + 2) / 1127)
    frequencies = np.arange(_WINDOW // 2 + 1)[:, None] * _RATE / _WINDOW
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float32)


def _frames(clip: Clip) -> NDArray[np.float32]:
    """The clip at 8 kHz in windows of 32 ms every 10 ms, (frames, samples)."""
    samples = resample(clip, _RATE).samples
    padded = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
    return np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]


def is_silent(clip: Clip) -> bool:
    """Whether even the loudest 0.2 s stay under -55 dB of full scale."""
    return _is_silent(_frames(clip))


def _is_silent(frames: NDArray[np.float32]) -> bool:
    power = np.sort(np.einsum("ij,ij->i", frames, frames) / _WINDOW)[-_LOUD_FRAMES:]
    return bool(10 * np.log10(power.mean() + 1e-12) < _SILENT_DB)


def levels(clip: Clip) -> Levels:
    """How loud each band is in each frame, (frames, bands), 0 to 1 within 30 dB of the loudest frames."""
    return _levels(_frames(clip))


def _levels(frames: NDArray[np.float32]) -> Levels:
    windowed = frames * np.hanning(_WINDOW).astype(np.float32)
    energy = 10 * np.log10(np.abs(np.fft.rfft(windowed)) ** 2 @ _filters() + 1e-12)
    loudest = np.sort(energy.max(axis=1))[-_LOUD_FRAMES:].mean()
    return np.asarray(np.clip((energy - loudest) / _RANGE_DB + 1, 0, 1), np.float32)


def _span(of: Levels) -> tuple[int, int]:
    """The frames from the first to the last that is clearly heard."""
    loud = np.flatnonzero(of.max(axis=1) > _ONSET)
    return int(loud[0]), int(loud[-1]) + 1


def _head(of: Levels, onset: int) -> NDArray[np.float32]:
    """The first 0.96 s from the onset, a vector of length 1, each band without its mean."""
    head = np.zeros((_HEAD, _BANDS), np.float32)
    begin = max(0, onset)
    known = of[begin : onset + _HEAD]
    head[begin - onset : begin - onset + len(known)] = known
    coarse = head.reshape(-1, _HEAD_STEP, _BANDS).mean(axis=1)
    vector = (coarse - coarse.mean(axis=0)).ravel()
    return np.asarray(vector / (np.linalg.norm(vector) + 1e-9))


def _difference(heard: Levels, template: Levels) -> float:
    """The worst 140 ms of the difference at the best lag. `heard` and `template` begin at their onsets."""
    if abs(len(heard) - len(template)) > _LONGER:
        return 1.0
    reach = _LAGS.stop + 2
    length = max(len(heard), len(template)) + 2 * reach
    fixed = np.full((length, _BANDS), _FLOOR)
    fixed[reach : reach + len(template)] = np.maximum(template, _FLOOR)
    sliding = np.full((length + 2 * reach, _BANDS), _FLOOR)
    sliding[2 * reach : 2 * reach + len(heard)] = np.maximum(heard, _FLOOR)

    def apart(lag: int, step: int = 1) -> NDArray[np.float32]:
        begin = reach - lag
        return np.asarray(np.abs(sliding[begin : begin + length : step] - fixed[::step]))

    coarse = min(_LAGS, key=lambda lag: float(apart(lag, 3).sum()))
    best = min(range(coarse - 2, coarse + 3), key=lambda lag: float(apart(lag).sum()))
    window = np.full(_WORST, 1 / _WORST, np.float32)
    return float(np.convolve(apart(best).mean(axis=1), window, "valid").max())


class Recogniser:
    """Knows the templates that it is given; without any, those of the catalogue."""

    def __init__(self, templates: tuple[Template, ...] | None = None) -> None:
        self._templates = load() if templates is None else templates
        self._heads = np.stack([_head(t.levels, 0) for t in self._templates])

    def nearest(self, clip: Clip, language: Language | None = None) -> tuple[Phrase, float]:
        """The nearest phrase (of that language, where one is given) and its difference; see LIMIT."""
        return self._nearest(levels(clip), language)

    def _nearest(self, heard: Levels, language: Language | None) -> tuple[Phrase, float]:
        begin, end = _span(heard)
        heads = np.stack([_head(heard, begin + shift) for shift in _HEAD_SHIFTS])
        likeness = (self._heads @ heads.T).max(axis=1)
        if language is not None:
            likeness[[t.phrase.language != language for t in self._templates]] = -np.inf
        candidates = [self._templates[i] for i in np.argsort(-likeness)[:_CANDIDATES]]
        found = [(_difference(heard[begin:end], t.levels), t.phrase) for t in candidates]
        difference, phrase = min(found, key=lambda pair: pair[0])
        return phrase, difference

    def hear(self, clip: Clip, language: Language | None = None) -> Heard:
        """What is in the clip: nothing, a phrase (in that language, where one is given), or speech unknown."""
        frames = _frames(clip)
        if _is_silent(frames):
            return Heard(silent=True, phrase=None)
        phrase, difference = self._nearest(_levels(frames), language)
        return Heard(silent=False, phrase=phrase if difference <= LIMIT else None)

    def transcribe(self, clip: Clip, language: Language | None = None) -> str | None:
        """The text that is said: empty for silence, None where it is not recognised."""
        heard = self.hear(clip, language)
        if heard.silent:
            return ""
        return heard.phrase.text if heard.phrase else None


def measure_catalogue() -> dict[str, NDArray[np.uint8] | NDArray[np.int64]]:
    """The arrays of FEATURES from the audio: `levels` of all clips in a row, in 255ths, and their `lengths`.

    The clips are in the order of the providers, then of the phrases.
    """
    measured = []
    for provider in PROVIDERS:
        for phrase in catalogue.phrases():
            whole = levels(catalogue.audio(provider, phrase.id))
            begin, end = _span(whole)
            measured.append(np.round(whole[begin:end] * 255).astype(np.uint8))
    return {"levels": np.concatenate(measured), "lengths": np.array([len(m) for m in measured])}


def load() -> tuple[Template, ...]:
    """The templates of the catalogue, from FEATURES.

    Raises ValueError where they are not those of the catalogue (render again).
    """
    with np.load(FEATURES, allow_pickle=False) as stored:
        everything, lengths = stored["levels"].astype(np.float32) / 255, stored["lengths"]
    said: list[tuple[Provider, Phrase]] = [(p, phrase) for p in PROVIDERS for phrase in catalogue.phrases()]
    if len(lengths) != len(said):
        raise ValueError(
            f"{FEATURES} holds {len(lengths)} clips, the catalogue {len(said)}; run make phrases"
        )
    pieces = np.split(everything, np.cumsum(lengths)[:-1])
    return tuple(Template(phrase, piece) for (_, phrase), piece in zip(said, pieces, strict=True))
