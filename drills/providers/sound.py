"""Sound in memory: decode, encode and resample, by libsndfile and numpy alone."""

from __future__ import annotations

import functools
import io

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]

CODECS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Codec name → libsndfile's container and encoding; `ogg` is always Opus here. `pcm` is headerless."""

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


class UnreadableSoundError(ValueError):
    """The bytes are in none of the formats that can be read."""


class Clip(msgspec.Struct, frozen=True, eq=False):
    """One channel of sound: `samples` within ±1, `rate` in Hz, `container` as libsndfile names it.

    Equal to itself only, so that it can be the key of a cache.
    """

    samples: Samples
    rate: int
    container: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@functools.lru_cache(maxsize=32)
def decode(data: bytes) -> Clip:
    """Read WAV, FLAC, OGG or MP3; several channels are averaged into one. The same bytes give the same clip.

    Raises UnreadableSoundError for anything else.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            channels = file.read(dtype="float32", always_2d=True)
            samples = channels.mean(axis=1, dtype=np.float32)
            return Clip(samples=samples, rate=file.samplerate, container=file.format)
    except soundfile.LibsndfileError as error:
        raise UnreadableSoundError(f"not a sound file: {error.error_string}") from error


def decode_pcm(data: bytes, rate: int) -> Clip:
    """Read headerless 16-bit little-endian mono. Raises UnreadableSoundError for half a sample."""
    if len(data) % 2:
        raise UnreadableSoundError("an odd number of bytes cannot be 16-bit samples")
    return Clip(samples=_from_int16(data), rate=rate, container="RAW")


def _from_int16(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def encode(clip: Clip, codec: str) -> bytes:
    """The clip in one of CODECS, or headerless 16-bit little-endian for `pcm`."""
    if codec == "pcm":
        return (np.clip(clip.samples, -1, 32767 / 32768) * 32768).astype("<i2").tobytes()
    container, encoding = CODECS[codec]
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.rate, format=container, subtype=encoding)
    return buffer.getvalue()


def resample(clip: Clip, rate: int) -> Clip:
    """The clip at another rate, band-limited, by the Fourier transform.

    The clip is padded with silence to whole fifths of a second, in which every usual rate has a whole
    number of samples, and cut back to its own length afterwards.
    """
    if rate == clip.rate:
        return clip
    fifths = -(-len(clip.samples) * 5 // clip.rate)
    before, after = fifths * clip.rate // 5, fifths * rate // 5
    spectrum = np.fft.rfft(clip.samples, before)[: after // 2 + 1]
    samples = np.fft.irfft(spectrum, after) * (after / before)
    kept = round(len(clip.samples) * rate / clip.rate)
    return Clip(samples=samples[:kept].astype(np.float32), rate=rate, container=clip.container)
