from pathlib import Path

import msgspec
import numpy as np
import pytest

from drills.providers import catalogue, oggpages
from drills.providers.catalogue import FOLDER, PROVIDERS, audio, find, other, phrases
from drills.providers.recognise import is_silent
from drills.providers.render import CHECKS, Sample
from drills.providers.sound import UnreadableSoundError, decode, decode_pcm, encode, resample

RUNBOOK = [
    "Тест системы после отката",
    "Короткий тест",
    "Средний по длине тест для проверки производительности",
    "Длинный тест для проверки производительности системы после отката изменений в production environment",
]


def test_forty_phrases_at_least_in_two_languages_with_the_runbooks_own():
    texts = [p.text for p in phrases()]
    assert len(texts) >= 40
    assert {p.language for p in phrases()} == {"ru", "en"}
    assert all(find(text).language == "ru" for text in RUNBOOK)
    assert len({catalogue.normalised(text) for text in texts}) == len({p.id for p in phrases()}) == len(texts)


def test_every_phrase_is_spoken_in_every_voice_and_every_voice_is_its_own():
    for phrase in phrases():
        spoken = [audio(provider, phrase.id) for provider in PROVIDERS]
        assert all(clip.rate == 16000 and clip.seconds > 0.5 and not is_silent(clip) for clip in spoken)
        assert len({len(clip.samples) for clip in spoken}) == len(spoken)


def test_no_file_without_a_phrase_and_all_of_them_small():
    wanted = {catalogue.path(provider, p.id) for provider in PROVIDERS for p in phrases()}
    assert set(FOLDER.glob("*/*")) == wanted
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 3_000_000


def test_text_is_found_whatever_its_case_punctuation_and_spacing():
    assert find("  короткий   ТЕСТ! ") == find("Короткий тест")
    assert find("отправьте счет на электронную почту") is not None
    assert find("Совсем другой текст") is None


def test_another_phrase_is_another_and_in_the_language_that_is_asked_for():
    for phrase in phrases():
        assert other(phrase, phrase.language) != phrase
        assert other(phrase, "en").language == "en"
        assert other(phrase, "ru").language == "ru"


def test_an_unknown_phrase_has_no_audio():
    with pytest.raises(KeyError, match="ru-nothing"):
        audio("openai", "ru-nothing")


def test_the_checks_own_speech_is_complete_and_recognised(recogniser):
    samples = msgspec.yaml.decode((CHECKS / "speech.yaml").read_bytes(), type=list[Sample])
    assert {file.name for file in Path(CHECKS).iterdir()} == {s.file for s in samples} | {"speech.yaml"}
    assert {s.codec for s in samples} == {"wav", "flac", "ogg", "mp3"}
    assert [s.language for s in samples].count("ru") == [s.language for s in samples].count("en") == 6
    assert {s.text for s in samples} >= set(RUNBOOK)
    for sample in samples:
        clip = decode((CHECKS / sample.file).read_bytes())
        assert recogniser.transcribe(clip, sample.language) == sample.text
        assert (clip.rate, round(clip.seconds, 1)) == (sample.rate, round(sample.seconds, 1)), sample.file


def test_another_serial_leaves_the_same_sound():
    stored = catalogue.path("google", "ru-short").read_bytes()
    changed = oggpages.with_serial(stored, 77)
    assert changed != stored
    assert np.array_equal(decode(changed).samples, decode(stored).samples)
    assert oggpages.with_serial(changed, 1) == stored
    with pytest.raises(ValueError, match="no Ogg page at byte 0"):
        oggpages.with_serial(b"RIFF", 1)


def test_what_is_no_sound_is_refused():
    with pytest.raises(UnreadableSoundError, match="not a sound file"):
        decode(b"fake_audio_data")
    with pytest.raises(UnreadableSoundError, match="odd number of bytes"):
        decode_pcm(b"abc", 8000)


def test_headerless_samples_come_back_as_they_went():
    clip = audio("openai", "en-short")
    again = decode_pcm(encode(clip, "pcm"), clip.rate)
    assert np.abs(again.samples - clip.samples).max() <= 1 / 32768


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampling_keeps_length_and_loudness(rate):
    clip = audio("google", "en-fox")
    there = resample(clip, rate)
    assert abs(there.seconds - clip.seconds) < 1 / 8000
    assert np.sqrt((there.samples**2).mean()) == pytest.approx(np.sqrt((clip.samples**2).mean()), rel=0.2)
