"""Audio files in memory: recognise, decode, resample, encode. All of it blocks; call it in a thread."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from app.services.voice_v2.core.errors import AudioError, UnsupportedAudioError
from app.services.voice_v2.core.schemas import AudioFormat

Samples = npt.NDArray[np.float32]

_FORMATS = {
    "WAV": AudioFormat.WAV,
    "WAVEX": AudioFormat.WAV,
    "FLAC": AudioFormat.FLAC,
    "OGG": AudioFormat.OPUS,
    "MP3": AudioFormat.MP3,
}
_ENCODINGS = {
    AudioFormat.WAV: ("WAV", "PCM_16"),
    AudioFormat.FLAC: ("FLAC", "PCM_16"),
    AudioFormat.OPUS: ("OGG", "OPUS"),
    AudioFormat.MP3: ("MP3", "MPEG_LAYER_III"),
}
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself; `subtype` is libsndfile's name of the codec, `rate` in Hz."""

    format: AudioFormat
    subtype: str
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """How long the sound lasts."""
        return self.frames / self.rate


def inspect(data: bytes) -> AudioInfo:
    """Recognise an audio file by its content.

    Raises:
        UnsupportedAudioError: not WAV, FLAC, OGG or MP3.
        AudioError: the file has no sound in it.
    """
    try:
        found = soundfile.info(io.BytesIO(data))
    except soundfile.SoundFileError:
        raise UnsupportedAudioError("the audio is not a WAV, FLAC, OGG or MP3 file") from None
    if found.format not in _FORMATS:
        raise UnsupportedAudioError(f"the audio is a {found.format} file; WAV, FLAC, OGG and MP3 are read")
    if not found.frames or not found.samplerate:
        raise AudioError("the audio file has no sound in it")
    return AudioInfo(_FORMATS[found.format], found.subtype, found.samplerate, found.channels, found.frames)


def decode(data: bytes) -> tuple[Samples, int]:
    """The file's sound as one channel in [-1, 1], and its rate in Hz.

    Raises:
        UnsupportedAudioError: the file is broken.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        raise UnsupportedAudioError("the audio file is broken") from None
    return samples.mean(axis=1, dtype=np.float32), int(rate)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """`samples` at `wanted` Hz, band-limited (by cutting or padding the spectrum)."""
    if rate == wanted or not samples.size:
        return samples
    length = max(1, round(samples.size * wanted / rate))
    spectrum = np.fft.rfft(samples)
    resized = np.zeros(length // 2 + 1, dtype=spectrum.dtype)
    shared = min(spectrum.size, resized.size)
    resized[:shared] = spectrum[:shared]
    return (np.fft.irfft(resized, length) * (length / samples.size)).astype(np.float32)


def encode(samples: Samples, rate: int, wanted: AudioFormat) -> bytes:
    """A file in the wanted format; the rate is raised to the next one that its codec has."""
    allowed = {AudioFormat.OPUS: _OPUS_RATES, AudioFormat.MP3: _MP3_RATES}.get(wanted, (rate,))
    fitting = min((each for each in allowed if each >= rate), default=allowed[-1])
    container, codec = _ENCODINGS[wanted]
    out = io.BytesIO()
    soundfile.write(out, resample(samples, rate, fitting), fitting, format=container, subtype=codec)
    return out.getvalue()


def encode_pcm(pcm: bytes, rate: int, wanted: AudioFormat) -> bytes:
    """A file in the wanted format from headerless 16-bit little-endian mono samples."""
    if not pcm or len(pcm) % 2:
        raise AudioError("the audio samples are not whole")
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)
    return encode(samples.astype(np.float32), rate, wanted)


def to_pcm(data: bytes, rate: int) -> bytes:
    """A file's sound as headerless 16-bit little-endian mono samples at `rate` Hz."""
    samples = resample(*decode(data), rate)
    return (np.clip(samples, -1, 1 - 2**-15) * 32768).astype("<i2").tobytes()


def convert(data: bytes, wanted: AudioFormat) -> bytes:
    """A file in the wanted format with the sound of `data`, as one channel."""
    return encode(*decode(data), wanted)
