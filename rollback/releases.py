"""The releases on record, as `status` lists them: health, age, and which actions could bring each back."""

from collections.abc import Sequence

import msgspec

from rollback import clock
from rollback.way import Way
from target.record import Record


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `age_s` is the time since it was taken; `expected`: it is what should be running now.

    `ways` are the actions that have what they need to bring this release's state back; none for one marked bad.
    """

    name: str
    version: str | None
    revision: str | None
    taken_at: str
    age_s: float
    state: str
    why_bad: str | None
    expected: bool
    ways: tuple[str, ...]

    def says(self) -> str:
        """One line for a person."""
        release = " ".join(text for text in (self.version, (self.revision or "")[:7]) if text) or self.name
        named = [] if self.name in (release, release.replace(" ", "-")) else [self.name]
        told = [release, *named, f"{clock.ago(self.age_s)} ({self.taken_at[:16].replace('T', ' ')})"]
        if self.state == "bad":
            told += [f"marked bad: {self.why_bad}" if self.why_bad else "marked bad", "never gone back to"]
            return " · ".join(told)
        told.append(self.state)
        if self.expected:
            told.append("expected now")
        told.append(f"by {', '.join(self.ways)}" if self.ways else "nothing here brings it back")
        return " · ".join(told)


def releases(
    records: Sequence[Record], expected: Record | None, ways: Sequence[Way], now: float
) -> tuple[Release, ...]:
    """Every record, newest first; `now` in seconds since the epoch."""
    return tuple(
        Release(
            name=record.name,
            version=record.version,
            revision=record.revision,
            taken_at=record.taken_at,
            age_s=max(0.0, now - clock.of_iso(record.taken_at)),
            state=record.state,
            why_bad=record.why_bad,
            expected=expected is not None and record.name == expected.name,
            ways=()
            if record.state == "bad"
            else tuple(way.action for way in ways if record.name in way.records),
        )
        for record in records
    )
