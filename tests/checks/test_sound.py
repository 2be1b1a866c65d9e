"""Sound is judged: silence, tones, noise, cut and endless audio are told from speech, in every codec."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from checks.clips import clips
from checks.sound import measure, problem
from target.sound import SoundError, as_opus

RATE = 16000
TEXT = "Средний по длине тест для проверки производительности"


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.astype(np.float32), rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def seconds(count: float) -> np.ndarray:
    return np.arange(int(count * RATE)) / RATE


def noise(count: float) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.2, int(count * RATE))


@pytest.mark.parametrize("clip", clips(), ids=lambda clip: clip.file)
def test_real_speech_is_speech(clip) -> None:
    assert problem(clip.audio(), clip.text) is None
    assert measure(clip.audio()).seconds == pytest.approx(clip.seconds, abs=0.2)


@pytest.mark.parametrize(
    ("audio", "told"),
    [
        (lambda: b"", "the body is empty"),
        (lambda: b"fake_audio_data", "15 bytes that are no sound"),
        (lambda: wav(np.zeros(0)), "without a single sample"),
        (lambda: wav(np.zeros(RATE * 3)), "silence"),
        (lambda: wav(noise(0.3)), "cut short: 0.30 s for 7 words"),
        (lambda: wav(noise(40)), "far too long"),
        (lambda: wav(np.sign(np.sin(seconds(3) * 900))), "distorted"),
        (lambda: wav(0.3 * np.sin(seconds(3) * 2000)), "no speech"),
        (lambda: wav(noise(3)), "no speech"),
    ],
    ids=["empty", "garbage", "no samples", "silence", "short", "long", "clipped", "tone", "noise"],
)
def test_what_is_no_speech_is_told(audio: Callable[[], bytes], told: str) -> None:
    assert told in (problem(audio(), TEXT) or "")


def test_any_speech_can_be_made_opus() -> None:
    for clip in clips():
        if clip.rate != 44100:
            assert problem(as_opus(clip.audio()), clip.text) is None
    with pytest.raises(SoundError):
        as_opus(b"<html>")


def test_what_cannot_be_decoded_raises() -> None:
    with pytest.raises(SoundError):
        measure(b"<html>")
