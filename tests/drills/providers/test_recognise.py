import io

import numpy as np
import pytest

from drills.providers import catalogue, recognise
from drills.providers.catalogue import PROVIDERS, audio, phrases
from drills.providers.recognise import LIMIT, Recogniser
from drills.providers.sound import Clip, decode, encode, resample

CLIPS = [(provider, phrase) for provider in PROVIDERS for phrase in phrases()]
WAYS = [
    ("wav", 8000),
    ("mp3", 48000),
    ("ogg", 8000),
    ("flac", 44100),
    ("mp3", 8000),
    ("ogg", 48000),
    ("wav", 22050),
    ("flac", 12000),
]


def worn(
    clip: Clip, codec: str, rate: int, *, gain: float = 1.0, noisy: bool = False, pad: float = 0
) -> Clip:
    """The clip after a journey: resampled, noise at 20 dB added, scaled, silence around it, encoded, decoded."""
    clip = resample(clip, rate)
    quiet = np.zeros(int(pad * rate), np.float32)
    samples = np.concatenate([quiet, clip.samples, quiet])
    if noisy:
        power = np.mean(clip.samples**2) / 100
        samples = samples + np.random.default_rng(7).normal(size=len(samples)) * np.sqrt(power)
    return decode(encode(Clip((samples * gain).astype(np.float32), rate, "WAV"), codec))


@pytest.mark.parametrize(("codec", "rate"), WAYS)
def test_every_codec_and_rate_is_recognised_loud_quiet_and_noisy(recogniser, codec, rate):
    offset = WAYS.index((codec, rate))
    for number, (provider, phrase) in enumerate(CLIPS[offset::24]):
        heard = worn(
            audio(provider, phrase.id),
            codec,
            rate,
            gain=(0.5, 1, 2)[number % 3],
            noisy=number % 2 == 0,
            pad=(0, 0.4, 1.5)[(number // 2) % 3],
        )
        assert recogniser.hear(heard).phrase == phrase, (provider, phrase.id)


def test_a_phrase_that_is_not_in_the_catalogue_is_not_recognised():
    for number, (provider, phrase) in enumerate(CLIPS[::9]):
        without = tuple(t for t in recognise.load() if t.phrase != phrase)
        clip = worn(audio(provider, phrase.id), *WAYS[number % len(WAYS)], noisy=number % 2 == 0)
        assert Recogniser(without).hear(clip).phrase is None, (provider, phrase.id)


def test_the_margin_is_real_on_both_sides(recogniser):
    phrase = phrases()[0]
    clip = audio("openai", phrase.id)
    assert recogniser.nearest(clip)[1] < LIMIT / 2
    backwards = Clip(clip.samples[::-1].copy(), clip.rate, clip.container)
    assert recogniser.nearest(backwards)[1] > LIMIT * 2


@pytest.mark.parametrize("kept", [1 / 3, 1 / 2])
def test_part_of_a_phrase_is_not_the_phrase(recogniser, kept):
    for phrase in phrases()[:8]:
        clip = audio("google", phrase.id)
        part = Clip(clip.samples[: int(len(clip.samples) * kept)], clip.rate, clip.container)
        assert recogniser.hear(part).phrase is None, phrase.id


def test_two_phrases_in_one_clip_are_neither(recogniser):
    both = np.concatenate([audio("yandex", phrase.id).samples for phrase in phrases()[:2]])
    assert recogniser.hear(Clip(both, 16000, "WAV")).phrase is None


def test_only_the_language_that_is_asked_for(recogniser):
    russian, english = audio("openai", "ru-weather"), audio("openai", "en-weather")
    assert recogniser.transcribe(english, "ru") is None
    assert recogniser.transcribe(russian, "en") is None
    assert recogniser.transcribe(russian, "ru") == "Завтра ожидается небольшой дождь и сильный ветер"


@pytest.mark.parametrize("codec", ["wav", "flac", "ogg", "mp3"])
def test_silence_is_the_empty_text(recogniser, codec):
    silence = Clip(np.zeros(16000, np.float32), 16000, "WAV")
    assert recogniser.transcribe(decode(encode(silence, codec))) == ""


def test_noise_and_tones_are_not_recognised(recogniser):
    noise = np.random.default_rng(1).normal(size=32000).astype(np.float32) * np.float32(0.1)
    tone = np.sin(np.arange(32000, dtype=np.float32) * np.float32(0.2)) * np.float32(0.3)
    assert recogniser.transcribe(Clip(noise, 16000, "WAV")) is None
    assert recogniser.transcribe(Clip(tone, 16000, "WAV")) is None
    assert recogniser.transcribe(Clip(tone[:50], 16000, "WAV")) is None


def test_the_stored_features_are_those_of_the_audio():
    measured = recognise.measure_catalogue()
    with np.load(recognise.FEATURES, allow_pickle=False) as stored:
        assert stored["lengths"].tolist() == measured["lengths"].tolist()
        difference = np.abs(stored["levels"].astype(int) - measured["levels"].astype(int))
    assert difference.max() <= 2  # of 255: another build of numpy may round otherwise


def test_features_of_another_catalogue_are_refused(monkeypatch, tmp_path):
    with np.load(recognise.FEATURES) as stored:
        buffer = io.BytesIO()
        np.savez(buffer, levels=stored["levels"], lengths=stored["lengths"][:-1])
    (tmp_path / "features.npz").write_bytes(buffer.getvalue())
    monkeypatch.setattr(recognise, "FEATURES", tmp_path / "features.npz")
    with pytest.raises(ValueError, match=f"143 clips, the catalogue {len(PROVIDERS) * len(phrases())}"):
        recognise.load()


def test_languages_are_read_in_every_usual_spelling():
    assert [
        catalogue.language_of(tag) for tag in ("ru", "ru-RU", "ru_RU", "Russian", "en", "en-US", "en-GB")
    ] == [
        *["ru"] * 4,
        *["en"] * 3,
    ]
    assert catalogue.language_of("de-DE") is None
