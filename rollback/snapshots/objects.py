"""The part `objects`: a copy of the bucket in a dated folder of the backup bucket, complete with its manifest."""

from collections.abc import Callable, Sequence

import msgspec

from rollback import clock
from rollback.actions.objects.backups import (
    FORMAT,
    Backup,
    Copied,
    Manifest,
    backups,
    listing,
    manifest_of,
    mark_of,
    name_of,
)
from rollback.actions.objects.compare import Contents, compare, fits
from rollback.actions.objects.plan import objects
from rollback.actions.objects.stores import BackupContent, Content, Stores, at_once, lacking, open_stores
from rollback.actions.objects.truth import Truth, ask, refuse_strangers
from rollback.snapshots.part import Part
from target.errors import StoreError
from target.objects import ObjectFacts, ObjectStore

_LOOKED_AT = 5


class Source(msgspec.Struct, frozen=True):
    """A good object to copy, from the bucket or from an earlier backup."""

    key: str
    store: ObjectStore
    facts: ObjectFacts
    sha256: str


class Chosen(msgspec.Struct, frozen=True):
    """What goes into a snapshot. `carried` are those from an earlier backup; `lost` nobody has any more."""

    sources: tuple[Source, ...]
    carried: tuple[str, ...]
    lost: tuple[str, ...]


class Sound:
    """The objects of the bucket that are what record and usage log say, with their hashes."""

    def __init__(self, objects: dict[str, ObjectFacts], hashes: dict[str, str]) -> None:
        self.objects = objects
        self.hashes = hashes

    def sha256(self, keys: Sequence[str]) -> dict[str, str | None]:
        return {key: self.hashes[key] for key in keys}


class Empty:
    """A backup that is not there yet."""

    objects: dict[str, ObjectFacts] = {}  # noqa: RUF012  (nothing is ever in it)

    def sha256(self, keys: Sequence[str]) -> dict[str, str | None]:
        return dict.fromkeys(keys)


class ObjectsPart(Part):
    """Copies every object that is what record and usage log say. One that is not, or is missing, is taken from the
    newest backup that has it whole, so that the last good copy of an object never goes with an old backup.
    """

    name = "objects"

    def lacks(self) -> str:
        return lacking(self.site.target)

    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        stores = open_stores(self.site.target)
        try:
            return self._take(stores, clock.of_stamp(stamp), report)
        finally:
            stores.close()

    def prune(self, keep: int) -> list[str]:
        stores = open_stores(self.site.target)
        try:
            found = backups(stores.backup, stores.pattern)
            complete = [each for each in found if each.made == "complete"]
            newest = complete[0].dated if complete else 0.0
            torn = [each for each in found if each.made == "incomplete" and each.dated < newest]
            gone = [*complete[max(keep, 1) :], *torn]
            for backup in gone:
                _remove(stores, backup)
            return [backup.name for backup in gone]
        finally:
            stores.close()

    def _take(self, stores: Stores, moment: float, report: Callable[[str], None]) -> str:
        for store in (stores.live, stores.backup):
            if not store.exists():
                raise StoreError(
                    f"{store.server} has no bucket {store.bucket}: make it, or correct the target"
                )
        found = backups(stores.backup, stores.pattern)
        chosen = self._choose(stores, _earlier(stores, found, report), report)
        if not chosen.sources:
            raise StoreError(
                f"{stores.live.server}, bucket {stores.live.bucket}: nothing good is in it to back up"
            )
        backup = _place(stores, found, moment)
        stores.backup.write(mark_of(backup.name), b"{}\n")
        there = listing(stores.backup, backup, stores.pattern)
        copied = at_once(
            lambda source: _copy(stores, backup, there, source),
            chosen.sources,
            lambda text: report(f"copied {text}"),
        )
        self._complete(stores, backup, there, copied, moment)
        size = sum(item.size for item in copied)
        says = f"{objects(copied)} ({size / 1e6:.1f} MB) in {stores.backup.bucket}/{backup.name}"
        if chosen.carried:
            says += f", {len(chosen.carried)} of them from earlier backups, since the bucket has no good ones"
        return says + (f"; {objects(chosen.lost)} lost, for example {chosen.lost[0]}" if chosen.lost else "")

    def _choose(self, stores: Stores, earlier: list[BackupContent], report: Callable[[str], None]) -> Chosen:
        live = Content(stores.live, report)
        truth, _ = ask(self.site, None)
        if earlier:
            taken = max(facts.modified for facts in earlier[0].objects.values())
            refuse_strangers(truth, live.objects, earlier[0].objects, taken)
        sound = _sound(live, _known_hashes(earlier), truth)
        before: list[Contents] = [*earlier] or [Empty()]
        compared = compare(sound, before, truth)
        sources = [Source(key, stores.live, facts, sound.hashes[key]) for key, facts in sound.objects.items()]
        carried = [cure for cure in compared.cures if cure.key in truth.known]
        hashes = at_once(lambda cure: cure.sha256 or stores.backup.sha256(cure.source.key), carried, report)
        sources += [
            Source(cure.key, stores.backup, cure.source, sha256)
            for cure, sha256 in zip(carried, hashes, strict=True)
            if sha256 is not None
        ]
        return Chosen(tuple(sources), tuple(cure.key for cure in carried), compared.lost)

    @staticmethod
    def _complete(
        stores: Stores,
        backup: Backup,
        there: dict[str, ObjectFacts],
        copied: list[Copied],
        moment: float,
    ) -> None:
        """Write the manifest, last: it is what makes the folder a backup. What an earlier attempt left goes first."""
        stray = there.keys() - {item.key for item in copied}
        stores.backup.remove_all([there[key].key for key in sorted(stray)])
        manifest = Manifest(format=FORMAT, bucket=stores.live.bucket, taken_at=moment, objects=tuple(copied))
        content = msgspec.json.encode(manifest)
        key = manifest_of(backup.name)
        stores.backup.write(key, content)
        if stores.backup.read(key) != content:
            raise StoreError(
                f"{stores.backup.server}, bucket {stores.backup.bucket}, object {key}: not what was written"
            )
        stores.backup.remove(mark_of(backup.name))


def _earlier(stores: Stores, found: list[Backup], report: Callable[[str], None]) -> list[BackupContent]:
    """The newest backups that can be read and are not empty."""
    readable: list[BackupContent] = []
    for backup in found:
        if backup.made == "incomplete" or len(readable) == _LOOKED_AT:
            continue
        content = BackupContent(stores.backup, report, backup, stores.pattern)
        try:
            content.manifest  # noqa: B018  (read now: a damaged one must not keep a new backup from being taken)
        except StoreError as error:
            report(str(error))
            continue
        if content.objects:
            readable.append(content)
    return readable


def _place(stores: Stores, found: list[Backup], moment: float) -> Backup:
    """The folder of a new snapshot: that of the day, or a second one of that day. Raises StoreError."""
    made = {each.name: each.made for each in found}
    for second in (False, True):
        name = name_of(stores.pattern, moment, second=second)
        backup = Backup(name=name, prefix=f"{name}/", dated=moment, made="incomplete")
        # A server may still show a folder that was emptied.
        if made.get(name, "incomplete") == "incomplete" or not any(stores.backup.list(backup.prefix)):
            return backup
    raise StoreError(f"there is a backup {name} already; take another one a second later")


def _known_hashes(earlier: list[BackupContent]) -> dict[tuple[str, int, str], str]:
    """Hashes that were verified for an object of that key, size and ETag."""
    manifest = next((content.manifest for content in earlier if content.manifest is not None), None)
    return {(item.key, item.size, item.etag): item.sha256 for item in manifest.objects} if manifest else {}


def _sound(live: Content, hashes: dict[tuple[str, int, str], str], truth: Truth) -> Sound:
    """What is good in the bucket: everything is read whose hash is not known from an earlier snapshot."""
    found = {
        key: known
        for key, facts in live.objects.items()
        if (known := hashes.get((key, facts.size, facts.etag))) is not None
    }
    read = live.sha256([key for key in live.objects if key not in found])
    found |= {key: sha256 for key, sha256 in read.items() if sha256 is not None}
    good = {
        key: facts
        for key, facts in live.objects.items()
        if key in found and fits(facts, found[key], truth.known.get(key)) is not False
    }
    return Sound(good, found)


def _copy(stores: Stores, backup: Backup, there: dict[str, ObjectFacts], source: Source) -> Copied:
    """Copy one object, where an earlier attempt has not, and read it back. Raises StoreError."""
    name = f"{backup.prefix}{source.key}"
    facts = there.get(source.key)
    if facts is None or (facts.size, facts.etag) != (source.facts.size, source.facts.etag):
        stores.backup.copy_from(source.store, source.facts, name)
        facts = stores.backup.look(name)
    if facts is None or stores.backup.sha256(name) != source.sha256:
        raise StoreError(
            f"{stores.backup.server}, bucket {stores.backup.bucket}, object {name}: the copy is not what was read from "
            f"{source.store.bucket}: run this again"
        )
    return Copied(source.key, facts.size, facts.etag, source.sha256)


def _remove(stores: Stores, backup: Backup) -> None:
    """Remove a snapshot; cut short, it is one that was never completed."""
    stores.backup.write(mark_of(backup.name), b"{}\n")
    stores.backup.remove(manifest_of(backup.name))
    stores.backup.remove_all([facts.key for facts in stores.backup.list(backup.prefix)])
    stores.backup.remove(mark_of(backup.name))
