"""The backups in the backup bucket: dated folders, by this suite or by hand, and what lies there without a folder.

```
2026-11-24/tts/…              a copy of the bucket, by `snapshot` or by `mc mirror`
2026-11-24.140210/tts/…       the second one of that day
.manifests/2026-11-24.json    by `snapshot`, once the copy is complete: key, size, ETag and SHA-256 of everything in it
.manifests/2026-11-24.begun   by `snapshot`, until then
.failed/20261124T140210Z/…    by `rollback objects`: corrupt objects that it overwrote
tts/…                         a copy without a folder: the backup `flat`
```
"""

from datetime import UTC, datetime

import msgspec

from rollback.errors import Refused
from target.errors import StoreError
from target.objects import ObjectFacts, ObjectStore

MANIFESTS = ".manifests/"
KEPT = ".failed/"
FLAT = "flat"
FORMAT = 1
_SECOND = ".%H%M%S"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a complete snapshot holds; `taken_at` in seconds since the epoch, keys as in the bucket."""

    format: int
    bucket: str
    taken_at: float
    objects: tuple["Copied", ...]


class Copied(msgspec.Struct, frozen=True):
    """An object of a snapshot, verified when it was copied."""

    key: str
    size: int
    etag: str
    sha256: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup: `prefix` is its folder (empty for `flat`), `dated` the time in its name.

    `made` is how: complete by this suite, by hand (no manifest: judged by record and usage log), or not complete.
    """

    name: str
    prefix: str
    dated: float
    made: str  # complete, by hand, incomplete


def name_of(pattern: str, moment: float, *, second: bool = False) -> str:
    """The name of a backup taken then; `second` when that of the day is taken already."""
    date = datetime.fromtimestamp(moment, UTC)
    return date.strftime(pattern.rstrip("/") + (_SECOND if second else ""))


def manifest_of(name: str) -> str:
    """The key of a snapshot's manifest."""
    return f"{MANIFESTS}{name}.json"


def mark_of(name: str) -> str:
    """The key of the mark of a snapshot that is not complete."""
    return f"{MANIFESTS}{name}.begun"


def backups(store: ObjectStore, pattern: str) -> list[Backup]:
    """All there are, newest first, `flat` last. Raises StoreError."""
    marks = {facts.key.removeprefix(MANIFESTS) for facts in store.list(MANIFESTS)}
    found = []
    for name, moment in _dated(store, pattern.rstrip("/")):
        made = (
            "complete" if f"{name}.json" in marks else "incomplete" if f"{name}.begun" in marks else "by hand"
        )
        found.append(Backup(name=name, prefix=f"{name}/", dated=moment, made=made))
    found.sort(key=lambda backup: (backup.dated, backup.name), reverse=True)
    if _has_flat(store, pattern):
        found.append(Backup(name=FLAT, prefix="", dated=0.0, made="by hand"))
    return found


def choose(found: list[Backup], to: str | None, where: str) -> list[Backup]:
    """The backups to restore from, the one to compare with first. Raises Refused, saying what there is."""
    there = ", ".join(f"{each.name}{' (incomplete)' * (each.made == 'incomplete')}" for each in found[:8])
    usable = [each for each in found if each.made != "incomplete"]
    if to is not None:
        named = [each for each in found if each.name == to.strip("/")]
        if not named:
            raise Refused(f"{where} holds no backup {to}; there is: {there or 'none'}; nothing was changed")
        if named[0].made == "incomplete":
            raise Refused(
                f"the backup {to} in {where} was never completed; there is: {there}; nothing was changed"
            )
        return named
    if not usable:
        raise Refused(
            f"{where} holds no {'complete ' if found else ''}backup; correct `objects.backup_bucket` and "
            "`objects.backup_prefix`, or take one while all is well: python -m rollback snapshot; nothing was changed"
        )
    return usable


def listing(store: ObjectStore, backup: Backup, pattern: str) -> dict[str, ObjectFacts]:
    """Everything in a backup, by its key in the bucket. Raises StoreError."""
    if backup.prefix:
        return {facts.key.removeprefix(backup.prefix): facts for facts in store.list(backup.prefix)}
    folders, objects = store.folders()
    found = {facts.key: facts for facts in objects if not facts.key.startswith((MANIFESTS, KEPT))}
    for folder in folders:
        if not _ours(folder, pattern):
            found |= {facts.key: facts for facts in store.list(folder)}
    return found


def read_manifest(store: ObjectStore, backup: Backup) -> Manifest:
    """The manifest of a complete snapshot. Raises StoreError, also for one that is damaged."""
    key = manifest_of(backup.name)
    try:
        found = msgspec.json.decode(store.read(key) or b"", type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{store.server}, bucket {store.bucket}, object {key}: damaged ({error}); name another backup with --to"
        ) from None
    if found.format != FORMAT:
        raise StoreError(
            f"{store.server}, bucket {store.bucket}, object {key}: of a newer format; update this tool"
        )
    return found


def _dated(store: ObjectStore, pattern: str) -> list[tuple[str, float]]:
    """Names and times of the dated folders: a pattern of several levels is followed level by level."""
    levels = pattern.split("/")
    names = [""]
    for depth in range(1, len(levels) + 1):
        part = "/".join(levels[:depth])
        below = [folder.rstrip("/") for name in names for folder in store.folders(name and f"{name}/")[0]]
        names = [name for name in below if _time(name, part, last=depth == len(levels)) is not None]
    return [(name, _time(name, pattern, last=True) or 0.0) for name in names]


def _time(name: str, pattern: str, *, last: bool) -> float | None:
    for whole in (pattern, pattern + _SECOND) if last else (pattern,):
        try:
            return datetime.strptime(name, whole).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


def _ours(folder: str, pattern: str) -> bool:
    """Whether a folder at the top is not part of a flat copy."""
    levels = pattern.rstrip("/").split("/")
    return (
        folder in (MANIFESTS, KEPT) or _time(folder.rstrip("/"), levels[0], last=len(levels) == 1) is not None
    )


def _has_flat(store: ObjectStore, pattern: str) -> bool:
    folders, objects = store.folders()
    return bool(objects) or any(not _ours(folder, pattern) for folder in folders)
