"""Whether bytes are the speech that was asked for, judged as sound: it decodes, lasts, is loud enough, is no tone."""

import io

import msgspec

from checks.words import normalised
from target.sound import SoundError

SHORTEST_PER_WORD = 0.12
LONGEST_PER_WORD = 2.0
LONGEST_PAUSE = 3.0
QUIETEST_DBFS = -50.0
_CLIPPED_AT = 0.999
_CLIPPED_SHARE = 0.01
_FRAME_S = 0.02
_LIVELY_DB = 3.0


class Sound(msgspec.Struct, frozen=True):
    """Facts of a recording: `loudness` is the RMS in dBFS, `liveliness` the spread of frame loudness in dB.

    Speech has words and pauses: its frames differ by tens of dB. A tone, a hum or steady noise does not.
    """

    seconds: float
    rate: int
    loudness: float
    clipped: float
    liveliness: float


def measure(data: bytes) -> Sound:
    """Decode WAV, FLAC, OGG or MP3 and measure it. Raises SoundError."""
    import numpy as np
    import soundfile

    if not data:
        raise SoundError("the body is empty")
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise SoundError(f"{len(data)} bytes that are no sound: {error.error_string}") from error
    mono = samples.mean(axis=1)
    if not len(mono):
        raise SoundError("a sound file without a single sample")
    frame = max(1, int(rate * _FRAME_S))
    frames = mono[: len(mono) // frame * frame].reshape(-1, frame) if len(mono) >= frame else mono[None, :]
    levels = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-10)
    return Sound(
        seconds=len(mono) / rate,
        rate=int(rate),
        loudness=float(10 * np.log10(np.mean(mono.astype(np.float64) ** 2) + 1e-10)),
        clipped=float(np.mean(np.abs(mono) >= _CLIPPED_AT)),
        liveliness=float(np.std(levels)),
    )


def problem(data: bytes, text: str) -> str | None:
    """What keeps the bytes from being speech of this text, or None. Whether the words are right is not judged here."""
    try:
        sound = measure(data)
    except SoundError as error:
        return str(error)
    words = max(1, len(normalised(text).split()))
    if sound.loudness < QUIETEST_DBFS:
        return f"silence: {sound.loudness:.0f} dBFS over {sound.seconds:.1f} s"
    if sound.seconds < SHORTEST_PER_WORD * words:
        return f"cut short: {sound.seconds:.2f} s for {words} words"
    if sound.seconds > LONGEST_PER_WORD * words + LONGEST_PAUSE:
        return f"far too long: {sound.seconds:.1f} s for {words} words"
    if sound.clipped > _CLIPPED_SHARE:
        return f"distorted: {sound.clipped:.0%} of the samples are at full scale"
    if sound.liveliness < _LIVELY_DB:
        return f"no speech: its loudness hardly changes ({sound.liveliness:.1f} dB), as that of a tone or of noise"
    return None
