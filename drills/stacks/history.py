"""The past of a stack: days that are over, with a row for each request and the audio that it left."""

import hashlib
import io
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import msgspec
import psycopg
from minio import Minio

from drills.providers.catalogue import PROVIDERS, path, phrases
from drills.stacks.storage import BACKUP_BUCKET, BUCKET

DAYS = 5
ROWS_A_DAY = 30
_ERRORS_A_DAY = 2
_UPLOADS_AT_ONCE = 6
_COLUMNS = (
    "created_at",
    "request_id",
    "operation",
    "provider",
    "language",
    "status",
    "duration_ms",
    "audio_key",
    "audio_sha256",
    "audio_bytes",
    "characters",
    "client",
    "error",
)


class Past(msgspec.Struct, frozen=True):
    """A request of the past: the row, in the order of the columns, and its audio (None where it failed)."""

    row: tuple[object, ...]
    key: str | None
    audio: bytes | None


def compose(today: datetime) -> list[Past]:
    """The requests of the days before `today` (UTC), oldest first; always the same for the same day."""
    chance = random.Random(20250803)  # noqa: S311  (an invented past, nothing secret)
    past = []
    for back in range(DAYS, 0, -1):
        midnight = datetime.combine(today.astimezone(UTC).date() - timedelta(days=back), time(), UTC)
        seconds = sorted(chance.uniform(60, 86_340) for _ in range(ROWS_A_DAY))
        failed = set(chance.sample(range(ROWS_A_DAY), _ERRORS_A_DAY))
        for number, second in enumerate(seconds):
            past.append(_one(chance, midnight + timedelta(seconds=second), failed=number in failed))
    return past


def _one(chance: random.Random, moment: datetime, *, failed: bool) -> Past:
    request = uuid.UUID(int=chance.getrandbits(128), version=4)
    operation = chance.choice(("tts", "tts", "stt"))
    phrase = chance.choice(phrases())
    provider = chance.choice(PROVIDERS)
    characters = len(phrase.text) if operation == "tts" else None
    shared = (moment, request, operation)
    if failed:
        error = "no provider answered"
        row: tuple[object, ...] = (
            *shared,
            None,
            phrase.language,
            "error",
            3000,
            None,
            None,
            None,
            characters,
            None,
            error,
        )
        return Past(row, None, None)
    audio = path(provider, phrase.id).read_bytes()
    key = f"{operation}/{moment:%Y/%m/%d}/{request}.ogg"
    digest = hashlib.sha256(audio).hexdigest()
    duration = int(chance.lognormvariate(6.0, 0.4))
    row = (
        *shared,
        provider,
        phrase.language,
        "ok",
        duration,
        key,
        digest,
        len(audio),
        characters,
        None,
        None,
    )
    return Past(row, key, audio)


def upload(store: Minio, past: list[Past]) -> None:
    """Put the audio into the bucket and into its backup."""

    def put(bucket: str, key: str, audio: bytes) -> None:
        store.put_object(bucket, key, io.BytesIO(audio), len(audio), content_type="audio/ogg")

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as threads:
        waiting = [
            threads.submit(put, bucket, one.key, one.audio)
            for one in past
            if one.key is not None and one.audio is not None
            for bucket in (BUCKET, BACKUP_BUCKET)
        ]
        for upload_ in waiting:
            upload_.result()


def insert(connection: psycopg.Connection, past: list[Past]) -> None:
    """Write the rows, in order, in one transaction."""
    statement = f"COPY voice_usage_logs ({', '.join(_COLUMNS)}) FROM STDIN"
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for one in past:
            copy.write_row(one.row)
