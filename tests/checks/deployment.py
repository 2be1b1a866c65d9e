"""A deployment in memory, good until something of it is broken: service, host, storage, database, providers."""

import functools
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import soundfile

from checks.clips import clips
from target.database import Column, TableFacts, UsageRow
from target.description import (
    Api,
    ApiHeaders,
    Budget,
    Code,
    Compose,
    Database,
    Environment,
    Objects,
    Provider,
    ServiceControl,
    Target,
    Virtualenv,
)
from target.errors import TableMissing
from target.objects import ObjectFacts
from target.record import (
    CodeRecord,
    DatabaseRecord,
    EnvironmentRecord,
    LatencyRecord,
    ObjectRecord,
    Record,
)

ENVIRONMENT = {
    "API_TOKEN": "token-of-the-service",
    "OPENAI_API_KEY": "sk-openai-secret",
    "GOOGLE_API_KEY": "google-secret-key",
    "YANDEX_API_KEY": "yandex-secret-key",
    "DATABASE_URL": "postgresql://voice:database-password@127.0.0.1/voice",
    "S3_SECRET_KEY": "storage-secret-key",
    "LOG_LEVEL": "INFO",
}
TARGET = Target(
    name="fake",
    source="/nowhere/target.yaml",
    api=Api(
        url="http://127.0.0.1:1",
        token=ENVIRONMENT["API_TOKEN"],
        headers=ApiHeaders(provider="x-provider", mark="x-mark", skip_providers="x-skip"),
    ),
    service=ServiceControl(compose=Compose("docker-compose.yml", "voice-v2")),
    environment=Environment("/srv/.env", "/srv/.env.previous", "compose"),
    code=Code("/srv"),
    virtualenv=Virtualenv("/srv/venv"),
    objects=Objects(
        endpoint="127.0.0.1:9",
        access_key="key",
        secret_key="storage-secret-key",
        bucket="voice",
        backup_bucket="voice-backup",
    ),
    database=Database(url=ENVIRONMENT["DATABASE_URL"], mark_column="client"),
    providers=(
        Provider("openai", "openai", "OPENAI_API_KEY"),
        Provider("google", "google", "GOOGLE_API_KEY"),
        Provider("yandex", "yandex", "YANDEX_API_KEY"),
    ),
    budget=Budget(),
)
STARTED = 1_700_000_000.0


@functools.cache
def speech(text: str) -> bytes:
    """Something that sounds like words: bursts of noise with pauses, as long as the text takes to say."""
    dice = np.random.default_rng(len(text) + sum(map(ord, text)))
    burst, pause = dice.normal(0, 0.3, 2400).clip(-0.9, 0.9), np.zeros(1600)
    samples = np.concatenate([part for _ in text.split() or [text] for part in (burst, pause)])
    return wav(samples.astype(np.float32))


def wav(samples: np.ndarray) -> bytes:
    """16 kHz mono."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class Deployment:
    """A fake of everything that a survey asks. Attributes are what is true; tests break them before a run.

    `service` answers requests: a method each, which tests replace.
    """

    def __init__(self) -> None:
        self.target = TARGET
        self.health: dict[str, Any] = {
            "system_status": "healthy",
            "version": "2.3.1",
            "revision": "a1b2c3d4e5f6",
            "started_at": "2026-11-20T09:00:00Z",
            "debug": False,
            "providers": {provider.name: {"status": "healthy"} for provider in TARGET.providers},
            "components": {"database": {"status": "healthy"}, "storage": {"status": "healthy"}},
        }
        self.health_status = 200
        self.second: dict[str, Any] = {}
        self.healths_left = -1
        self.alive = True
        self.enabled = [provider.name for provider in TARGET.providers]
        self.provider_problem: dict[str, str] = {}
        self.provider_asked: dict[tuple[str, str], int] = {}
        self.provider_stumbles: dict[tuple[str, str], set[int]] = {}
        self.provider_heard = "чужое"
        self.counts = {"tts": 0, "stt": 0}
        self.metrics_text: Callable[[], str] = self.exposition
        self.provider_says: Callable[[str], bytes] = speech
        self.say: Callable[[str], bytes] = speech
        self.hear: Callable[[str], str] = lambda text: text
        self.seconds = 0.02
        self.provider_seconds: dict[str, float] = {}
        self.fails_every = 0
        self.checks_token = True
        self.strangers_get = 401
        self.refuses = True
        self.forgets = False
        self.error_note = ""
        self.writes = True
        self.environment = dict(ENVIRONMENT)
        self.environment_faults: tuple[str, ...] = ()
        self.previous = dict(ENVIRONMENT)
        self.process = dict(ENVIRONMENT)
        self.environment_changed = STARTED - 100
        self.code = {"app/main.py": "aa", "app/api.py": "bb"}
        self.code_changed = STARTED - 200
        self.compiled_otherwise: list[str] = []
        self.choice = ""
        self.packages = {"fastapi": "0.115.0", "openai": "1.50.0"}
        self.python = "3.11.9"
        self.venv = [
            "/srv/venv",
            "1700000000.0",
            "home = /usr/bin",
            "yes",
            "bin/tool\n#!/srv/venv/bin/python\n",
        ]
        self.image = "sha256:0123456789abcdef"
        self.pids = [4711]
        self.resident = 300_000
        self.clock_ahead = 0.0
        self.room = (10**6, 4096, 10**6, 10**7)
        self.bucket_there = True
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.rows: list[UsageRow] = []
        self.written = 0
        self.duplicates = 0
        self.table_there = True
        self.sequence_gap = 1
        self.writable = True
        self.last_words = "voice-v2 cannot start: DATABASE_URL is not set"
        self.revision = "0003"
        self.texts = {hashlib.sha256(clip.audio()).hexdigest(): clip.text for clip in clips()}
        for number in range(20):
            self.write("tts", speech(f"a b {number}"), mark=None, at=STARTED + number)
        self.record = self.recorded()
        self.older = msgspec.structs.replace(
            self.record,
            name="2.2.0",
            taken_at="2026-11-10T10:00:00Z",
            version="2.2.0",
            packages={**self.packages, "openai": "1.40.0"},
            code=CodeRecord("tree-of-2.2.0", {"app/main.py": "00"}, "ffffffff"),
            environment=EnvironmentRecord("file", {**hashes(ENVIRONMENT), "LOG_LEVEL": "older"}),
        )

    def recorded(self) -> Record:
        """The record of the deployment as it is now."""
        table = self.table()
        return Record(
            name="2.3.1",
            version="2.3.1",
            revision="a1b2c3d4e5f6",
            taken_at="2026-11-20T10:00:00Z",
            taken_by="test",
            state="healthy",
            image_digest=self.image,
            environment=EnvironmentRecord("file", hashes(self.environment)),
            packages=dict(self.packages),
            python=self.python,
            memory_bytes=self.resident * 1024,
            code=CodeRecord(tree(self.code), dict(self.code), "a1b2c3d4e5f6"),
            database=DatabaseRecord(
                system_identifier="1",
                revision=table.revision,
                columns=table.columns,
                indexes=table.indexes,
                rows_per_day=table.rows_per_day,
            ),
            objects=tuple(ObjectRecord(each.key, each.size, each.etag, None) for each in self.listing()),
            latency=self.latency(self.seconds),
        )

    def latency(self, tts: float, stt: float | None = None, recorded: int = 30) -> LatencyRecord:
        """What a record says of a service that takes so many seconds, as many of both unless `stt` says otherwise."""
        at_once = self.target.budget.concurrency
        return LatencyRecord((tts,) * recorded, (tts if stt is None else stt,) * recorded, at_once)

    def table(self) -> TableFacts:
        """The table as it is now. Raises TableMissing."""
        if not self.table_there:
            raise TableMissing("PostgreSQL at 127.0.0.1 has no table voice_usage_logs")
        days: dict[str, int] = {}
        for row in self.rows:
            if row.mark is None:
                days["2026-11-19"] = days.get("2026-11-19", 0) + 1
        top = max((row.id for row in self.rows), default=0)
        return TableFacts(
            system_identifier="1",
            revision=self.revision,
            columns=(Column("id", "bigint", False), Column("audio_key", "text", True)),
            indexes={"pk": "btree (id)"},
            rows_per_day=days,
            duplicates=self.duplicates,
            max_id=top,
            sequence_next=top + self.sequence_gap,
        )

    def write(self, operation: str, audio: bytes, *, mark: str | None, at: float) -> None:
        """What the service leaves of one request."""
        self.written += 1
        number = self.written
        key, digest = f"{operation}/{number}.wav", hashlib.sha256(audio).hexdigest()
        self.objects[key] = (audio, at)
        self.rows.append(UsageRow(number, at, f"r{number}", operation, "ok", key, digest, len(audio), mark))

    def listing(self) -> list[ObjectFacts]:
        """The bucket's objects."""
        return [
            ObjectFacts(key, len(audio), hashlib.md5(audio).hexdigest(), at)
            for key, (audio, at) in self.objects.items()
        ]

    def exposition(self) -> str:
        """What /metrics says."""
        lines = ["# TYPE voice_requests_total counter"]
        lines += [
            f'voice_requests_total{{operation="{name}"}} {count}.0' for name, count in self.counts.items()
        ]
        return "\n".join(lines) + "\n"


def hashes(values: dict[str, str]) -> dict[str, str]:
    """Stands for keyed hashes."""
    return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in values.items()}


def tree(files: dict[str, str]) -> str:
    """Stands for the hash of a package folder."""
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
