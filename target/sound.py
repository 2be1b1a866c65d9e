"""Speech in another container, as a provider may want it."""

import io


class SoundError(ValueError):
    """The bytes cannot be decoded."""


def as_opus(data: bytes) -> bytes:
    """The same sound as OGG/Opus, which every provider transcribes; what is OGG already stays. Raises SoundError."""
    if data.startswith(b"OggS"):
        return data
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        buffer = io.BytesIO()
        soundfile.write(buffer, samples.mean(axis=1), rate, format="OGG", subtype="OPUS")
    except soundfile.LibsndfileError as error:
        raise SoundError(f"cannot be made OGG/Opus: {error.error_string}") from error
    return buffer.getvalue()
