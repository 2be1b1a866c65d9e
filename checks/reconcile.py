"""Rows and objects told against each other: every row's audio is there and whole, and no audio lacks its row."""

import random

import msgspec

from target.database import UsageRow
from target.objects import ObjectFacts

YOUNG_S = 180.0


class Content(msgspec.Struct, frozen=True):
    """What was read back of one row's audio: its SHA-256, None when it was gone by then."""

    row: UsageRow
    sha256: str | None


def missing_audio(rows: list[UsageRow], objects: dict[str, ObjectFacts]) -> list[UsageRow]:
    """Rows whose audio is not in the listing."""
    return [row for row in rows if row.audio_key is not None and row.audio_key not in objects]


def wrong_size(rows: list[UsageRow], objects: dict[str, ObjectFacts]) -> list[str]:
    """A line for each row whose audio has another size than the row says."""
    return [
        f"{row.audio_key}: {objects[row.audio_key].size} bytes, its row {row.id} says {row.audio_bytes}"
        for row in rows
        if row.audio_key in objects
        and row.audio_bytes is not None
        and objects[row.audio_key].size != row.audio_bytes
    ]


def wrong_content(contents: list[Content]) -> list[str]:
    """A line for each audio whose content is not what its row says."""
    return [
        f"{content.row.audio_key}: its content is not what row {content.row.id} was written for (SHA-256 differs)"
        for content in contents
        if content.sha256 is not None and content.sha256 != content.row.audio_sha256
    ]


def to_read_back(rows: list[UsageRow], most: int, dice: random.Random) -> list[UsageRow]:
    """The rows whose audio is worth reading: all when they are few, else the newest half and some of the others."""
    hashed = [row for row in rows if row.audio_key is not None and row.audio_sha256 is not None]
    if len(hashed) <= most:
        return hashed
    newest = hashed[-(most // 2) :]
    return [*newest, *dice.sample(hashed[: -(most // 2)], most - len(newest))]


def orphans(
    rows: list[UsageRow], objects: dict[str, ObjectFacts], known: set[str], *, complete: bool
) -> list[ObjectFacts]:
    """Objects that no row knows, but for those that were there when the record was taken (`known`).

    An object may be younger than its row, so that the youngest are left out, by the storage's own clock. Where the
    rows are only the newest (`complete` is false), objects older than those are left out as well.
    """
    if not objects:
        return []
    named = {row.audio_key for row in rows}
    latest = max(item.modified for item in objects.values()) - YOUNG_S
    earliest = 0.0 if complete or not rows else rows[0].created + YOUNG_S
    return [
        item
        for item in objects.values()
        if item.key not in named and item.key not in known and earliest <= item.modified <= latest
    ]
