"""The bucket of these tests, one for all of them: what a test leaves the next one's `reset` removes."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from target.description import Objects
from tests.rollback.objects.bucket import Bucket
from tests.rollback.quick import QuickHost


def _made(s3: Objects) -> Iterator[Bucket]:
    folder = Path(tempfile.mkdtemp(prefix="rb-"))
    yield Bucket(folder, s3, f"t{secrets.token_hex(4)}")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _bucket(s3: Objects) -> Iterator[Bucket]:
    yield from _made(s3)


@pytest.fixture
def bucket(_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """One object missing, two corrupt, one newer than the backup; without a process for each file operation."""
    monkeypatch.setattr("rollback.site.Host", QuickHost)
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    _bucket.reset()
    return _bucket


@pytest.fixture
def versioned(s3: Objects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """As `bucket`, in a new bucket that keeps versions from now on."""
    monkeypatch.setattr("rollback.site.Host", QuickHost)
    monkeypatch.delenv("VOICE_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    for made in _made(s3):
        made.keep_versions("Enabled")
        made.reset()
        yield made
