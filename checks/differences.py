"""What is there against what was recorded: a line for each difference that matters."""

import operator
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from target.database import TableFacts
from target.environment import differences
from target.objects import ObjectFacts
from target.record import DatabaseRecord, ObjectRecord

_NAMED = 4


class Objects(msgspec.Struct, frozen=True):
    """The bucket against the manifest: `problems` are lines; `doubtful` objects differ in their ETag alone.

    An ETag also changes when the same bytes are uploaded in other parts: where the manifest has a hash, that decides.
    """

    problems: list[str]
    doubtful: list[ObjectRecord]


def named(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def lines(current: dict[str, str], recorded: dict[str, str], what: str) -> list[str]:
    """Missing, new and changed entries, by name alone: values may be secret."""
    missing, new, changed = differences(current, recorded)
    found = (("missing", missing), ("not recorded", new), ("changed", changed))
    one = "index" if what == "indexes" else what.removesuffix("s")
    return [
        f"{len(names)} {what if len(names) > 1 else one} {word}: {named(names)}"
        for word, names in found
        if names
    ]


def versions(current: dict[str, str], recorded: dict[str, str]) -> list[str]:
    """Packages that differ, with both versions."""
    missing, new, changed = differences(current, recorded)
    found = [f"{name} is not installed (recorded {recorded[name]})" for name in missing]
    found += [f"{name} is {current[name]}, recorded {recorded[name]}" for name in changed]
    return [*found, *([f"not recorded: {named(new)}"] if new else [])]


def objects(recorded: tuple[ObjectRecord, ...], there: dict[str, ObjectFacts]) -> Objects:
    """Compare the bucket with the manifest; objects that are newer than it are not looked at."""
    gone = [item.key for item in recorded if item.key not in there]
    resized = [item.key for item in recorded if item.key in there and there[item.key].size != item.size]
    retagged = [
        item
        for item in recorded
        if item.key in there and there[item.key].size == item.size and there[item.key].etag != item.etag
    ]
    altered = [item.key for item in retagged if item.sha256 is None]
    found = (("missing", gone), ("of another size", resized), ("altered", altered))
    return Objects(
        [f"{len(keys)} of {len(recorded)} objects {word}: {named(keys)}" for word, keys in found if keys],
        [item for item in retagged if item.sha256 is not None],
    )


def columns(recorded: DatabaseRecord, facts: TableFacts) -> list[str]:
    """Columns and revision that differ: what a migration changes, and no dump mends."""
    now = {column.name: f"{column.type}{'' if column.nullable else ' not null'}" for column in facts.columns}
    then = {
        column.name: f"{column.type}{'' if column.nullable else ' not null'}" for column in recorded.columns
    }
    found = lines(now, then, "columns")
    if facts.revision != recorded.revision:
        found.append(f"database revision {facts.revision or 'none'}, recorded {recorded.revision or 'none'}")
    return found


def table(recorded: DatabaseRecord, facts: TableFacts) -> list[str]:
    """Columns, indexes and revision that differ."""
    return columns(recorded, facts) + lines(facts.indexes, recorded.indexes, "indexes")


def rows(recorded: DatabaseRecord, facts: TableFacts) -> list[str]:
    """Days that were over when the record was taken and now have another number of rows."""
    found = []
    for day, count in sorted(recorded.rows_per_day.items()):
        now = facts.rows_per_day.get(day, 0)
        if now != count:
            word = "missing" if now < count else "too many"
            found.append(f"{day}: {abs(count - now)} rows {word} ({now} of {count})")
    clusters = {facts.system_identifier, recorded.system_identifier} - {None}
    if found and len(clusters) > 1:
        found.insert(0, "this is another PostgreSQL cluster than the recorded one")
    return found


def served(told: list[str], recorded: str, same: Callable[[str, str], bool] = operator.eq) -> list[str]:
    """What is served instead of the recorded version or revision, by every answer or, where two serve, by some."""
    wrong = Counter(each for each in told if not same(each, recorded))
    return [
        f"serves {each or 'none'}{'' if n == len(told) else f' in {n} of {len(told)} answers'}, recorded {recorded}"
        for each, n in wrong.most_common()
    ]


def same_revision(one: str, other: str) -> bool:
    """Whether two git revisions are the same, either of them cut short to at least seven digits."""
    shorter, longer = sorted((one.lower(), other.lower()), key=len)
    return shorter == longer or (len(shorter) >= 7 and longer.startswith(shorter))


def clock(epoch: float) -> str:
    """A moment as one reads it on the host: `14:02:13`, with the date when it was not today (UTC)."""
    moment = datetime.fromtimestamp(epoch, UTC)
    today = datetime.fromtimestamp(time.time(), UTC).date() == moment.date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
