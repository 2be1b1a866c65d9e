"""Bucket against backup, by content: what is missing or corrupt, and which backup holds the good one."""

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from rollback.actions.objects.truth import Known, Truth
from target.objects import ObjectFacts

_PLAIN = re.compile(r"[0-9a-f]{32}")


class Contents(Protocol):
    """A bucket, or a folder of one: its objects by key, and hashes of what is in them."""

    @property
    def objects(self) -> dict[str, ObjectFacts]:
        """Everything in it; `key` of the facts is the whole name in the bucket."""

    def sha256(self, keys: Sequence[str]) -> dict[str, str | None]:
        """SHA-256 of each, read; None for one that is gone by then."""


class Cure(msgspec.Struct, frozen=True):
    """An object to copy from the backup with that number. `before` is the corrupt one in its place, None where none is.

    `sha256` is what the good one was found to have, None where nothing says what it should have.
    """

    key: str
    backup: int
    source: ObjectFacts
    sha256: str | None
    before: ObjectFacts | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, keys in order. `alike` is how many objects are as the backup has them.

    `good` differ from the backup and are proven good; `unsure` differ and nothing says which is good: both stay.
    `lost` are missing or corrupt, and no backup has a good one; a backup has those that are `spoilt`, but not good.
    `unknown` are in the backup, and the usage log is there and does not name them: they are left out.
    """

    cures: tuple[Cure, ...]
    alike: int
    good: tuple[str, ...]
    unsure: tuple[str, ...]
    lost: tuple[str, ...]
    spoilt: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many objects to copy are not there."""
        return sum(cure.before is None for cure in self.cures)

    @property
    def corrupt(self) -> int:
        """How many objects to copy are there, with other content."""
        return len(self.cures) - self.missing

    @property
    def size(self) -> int:
        """Bytes to copy."""
        return sum(cure.source.size for cure in self.cures)


def same(one: ObjectFacts, other: ObjectFacts) -> bool:
    """Whether size and ETag say that the content is the same: equal ETags are of the same bytes, in the same parts."""
    return one.size == other.size and one.etag == other.etag != ""


def fits(facts: ObjectFacts, sha256: str | None, known: Known | None) -> bool | None:
    """Whether an object is what is known of it; None where that cannot be told, or not without its hash.

    Only plain MD5 ETags tell that two objects differ: others depend on the parts and keys of an upload.
    """
    if known is None:
        return None
    if known.sizes and facts.size not in known.sizes:
        return False
    if known.sha256s:
        return None if sha256 is None else sha256 in known.sha256s
    if facts.etag in known.etags:
        return True
    if known.etags and all(_PLAIN.fullmatch(etag) for etag in (facts.etag, *known.etags)):
        return False
    return None


def compare(live: Contents, backups: Sequence[Contents], truth: Truth) -> Compared:
    """Compare with the first of the backups; what it has no good one of is looked for in the others, in their order."""
    judged = _Judged(live, backups[0], truth)
    there = backups[0].objects
    absent = sorted((truth.known.keys() | there.keys()) - live.objects.keys() | judged.gone)
    pending = [key for key in absent if truth.wants(key)]
    pending += sorted(judged.corrupt)
    cures: list[Cure] = []
    spoilt: set[str] = set()
    for number, backup in enumerate(backups):
        if not pending:
            break
        found, bad = _good_ones(backup, pending, truth)
        spoilt |= bad
        for key, (facts, sha256) in found.items():
            before = live.objects[key] if key in judged.corrupt else None
            cures.append(Cure(key, number, facts, sha256, before))
        pending = [key for key in pending if key not in found]
    return Compared(
        cures=tuple(sorted(cures, key=lambda cure: cure.key)),
        alike=judged.alike,
        good=tuple(sorted(judged.good)),
        unsure=tuple(sorted(judged.unsure)),
        lost=tuple(sorted(set(pending) - truth.own)),
        spoilt=tuple(sorted(spoilt & set(pending) - truth.own)),
        unknown=tuple(key for key in absent if not truth.wants(key)),
    )


class _Judged:
    """The objects that are there, sorted; only those are read that listings and the truth leave in doubt."""

    def __init__(self, live: Contents, backup: Contents, truth: Truth) -> None:
        self.alike = 0
        self.good: set[str] = set()
        self.unsure: set[str] = set()
        self.corrupt: set[str] = set()
        self.gone: set[str] = set()
        to_judge: list[str] = []
        to_compare: list[str] = []
        for key, facts in live.objects.items():
            known, there = truth.known.get(key), backup.objects.get(key)
            verdict = fits(facts, None, known)
            alike = there is not None and same(facts, there)
            retagged = known is not None and known.etags and facts.etag not in known.etags
            self.alike += alike
            if verdict is False:
                self.corrupt.add(key)
            elif known is not None and known.sha256s and (retagged or (there is not None and not alike)):
                to_judge.append(key)
            elif there is not None and not alike:
                if verdict is True:
                    self.good.add(key)
                elif there.size == facts.size:
                    to_compare.append(key)
                else:
                    self.unsure.add(key)
        self._read(live, backup, truth, to_judge, to_compare)

    def _read(
        self, live: Contents, backup: Contents, truth: Truth, to_judge: list[str], to_compare: list[str]
    ) -> None:
        read = live.sha256([*to_judge, *to_compare])
        other = backup.sha256(to_compare)
        for key in to_judge:
            there = backup.objects.get(key)
            if read[key] is None:
                self.gone.add(key)
            elif not fits(live.objects[key], read[key], truth.known[key]):
                self.corrupt.add(key)
            elif there is not None and not same(live.objects[key], there):
                self.good.add(key)
        for key in to_compare:
            if read[key] is None:
                self.gone.add(key)
            elif read[key] == other[key]:
                self.alike += 1
            else:
                self.unsure.add(key)


def _good_ones(
    backup: Contents, keys: Sequence[str], truth: Truth
) -> tuple[dict[str, tuple[ObjectFacts, str | None]], set[str]]:
    """The good ones that a backup has, with a hash where that was asked for; and which ones it has spoilt."""
    there = [key for key in keys if key in backup.objects]
    spoilt = {key for key in there if fits(backup.objects[key], None, truth.known.get(key)) is False}
    hashed = [
        key
        for key in there
        if key not in spoilt and (known := truth.known.get(key)) is not None and known.sha256s
    ]
    read = backup.sha256(hashed)
    good = {}
    for key in there:
        sha256 = read.get(key)
        if key in spoilt or (key in read and not fits(backup.objects[key], sha256, truth.known.get(key))):
            spoilt.add(key)
        else:
            good[key] = (backup.objects[key], sha256)
    return good, spoilt
