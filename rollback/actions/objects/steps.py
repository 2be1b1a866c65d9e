"""The steps that restore objects: keep what is overwritten, copy, and compare again."""

from collections.abc import Callable

from rollback.actions.objects.plan import Before, Entry, ObjectsPlan, objects, overwrites
from rollback.actions.objects.stores import Stores, at_once
from rollback.errors import StepFailed
from rollback.step import Course, Finding, Step
from target.errors import StoreError
from target.object_writing import Version
from target.objects import ObjectFacts

_LONGEST_S = 3600.0


class Bench:
    """The objects of one run as they are now."""

    def __init__(self, stores: Stores, plan: ObjectsPlan, entries: Callable[[], tuple[Entry, ...]]) -> None:
        self.stores = stores
        self.plan = plan
        self.entries = entries

    def to_keep(self) -> list[Entry]:
        """What would be destroyed."""
        return [entry for entry in self.entries() if overwrites(entry, self.plan.versioning)]

    def kept_as(self, entry: Entry) -> str:
        """The name under which the object of before is kept in the backup bucket."""
        return f"{self.plan.kept}{entry.key}"

    def is_restored(
        self, entry: Entry, now: ObjectFacts | Version | None, version: str | None = None
    ) -> bool:
        """Whether that object has the content of the backup's; read where size and ETag cannot tell."""
        if now is None or now.size != entry.size:
            return False
        if now.etag == entry.etag:
            return True
        found = self.stores.live.sha256(entry.key, version=version)
        return found == (entry.sha256 or self.stores.backup.sha256(entry.source))

    def is_before(self, entry: Entry, now: ObjectFacts | None) -> bool:
        """Whether that object is the one that was there before the run."""
        if now is None or entry.before is None:
            return now is None and entry.before is None
        if now.size != entry.before.size:
            return False
        if now.etag == entry.before.etag:
            return True
        if not overwrites(entry, self.plan.versioning):
            return False
        return self.stores.live.sha256(entry.key) == self.stores.backup.sha256(self.kept_as(entry))


class Keep(Step):
    """Keeps the corrupt objects that are to be overwritten in the backup bucket, where no check counts them."""

    name = "set aside"
    timeout_s = _LONGEST_S

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.plan = bench.plan

    @property
    def commands(self) -> tuple[str, ...]:
        plan = self.plan
        return (
            f"copy the corrupt ({objects(plan.sets_aside)}) from {plan.bucket} to {plan.backup_bucket}/{plan.kept}",
        )

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, course: Course, /) -> None:
        at_once(self._keep, self.bench.to_keep(), course.report, course)

    def verify(self) -> str:
        listed = {facts.key: facts for facts in self.bench.stores.backup.list(self.plan.kept)}
        for entry in self.bench.to_keep():
            kept = listed.get(self.bench.kept_as(entry))
            whole = kept is not None and entry.before is not None and kept.size == entry.before.size
            if not whole and _is(self.bench.stores.live.look(entry.key), entry.before):
                raise StepFailed(f"{self.bench.kept_as(entry)} is not a whole copy of {entry.key}")
        return f"{len(listed)} in {self.plan.backup_bucket}/{self.plan.kept}"

    def undo(self, _: Course, /) -> str:
        return "what was kept stays, as evidence"

    def _keep(self, entry: Entry) -> None:
        live, backup, name = self.bench.stores.live, self.bench.stores.backup, self.bench.kept_as(entry)
        now = live.look(entry.key)
        if now is None or not _is(now, entry.before):
            return  # kept and overwritten already, or written by somebody since
        if not self._is_kept(now, backup.look(name)):
            backup.copy_from(live, now, name)
            if not self._is_kept(now, backup.look(name)):
                raise StepFailed(f"{name} is not a whole copy of {entry.key}")

    def _is_kept(self, now: ObjectFacts, kept: ObjectFacts | None) -> bool:
        if kept is None or kept.size != now.size:
            return False
        live, backup = self.bench.stores.live, self.bench.stores.backup
        return kept.etag == now.etag or live.sha256(now.key) == backup.sha256(kept.key)


class Restore(Step):
    """Copies the good objects into the bucket, and reads each back. What was written there meanwhile stays."""

    name = "restore"
    timeout_s = _LONGEST_S

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.plan = bench.plan

    @property
    def commands(self) -> tuple[str, ...]:
        plan, stores = self.plan, self.bench.stores
        way = (
            "by the server itself" if stores.live.server == stores.backup.server else "streamed through here"
        )
        whence = ", ".join(plan.backups)
        what = f"{objects(plan.count)} ({plan.size / 1e6:.1f} MB) from {plan.backup_bucket} ({whence}) to {plan.bucket}"
        does = f"copy {what}, {way}, several at once; read each back, compare its SHA-256"
        return (does, *_examples(self.bench.entries(), plan))

    @property
    def undoes(self) -> str:
        plan = self.plan
        if plan.versioning == "Enabled":
            return f"remove the versions that were added to {plan.bucket} ({objects(plan.count)})"
        parts = [f"remove {objects(plan.missing)} from {plan.bucket}"] if plan.missing else []
        if plan.corrupt:
            parts.append(f"copy {objects(plan.corrupt)} back from {plan.backup_bucket}/{plan.kept}")
        return "; ".join(parts)

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, course: Course, /) -> None:
        at_once(self._restore, self.bench.entries(), course.report, course)

    def verify(self) -> str:
        live = {facts.key: facts for facts in self.bench.stores.live.list()}
        left = 0
        for entry in self.bench.entries():
            now = live.get(entry.key)
            if self.bench.is_restored(entry, now):
                continue
            if now is None or _is(now, entry.before):
                raise StepFailed(
                    f"{entry.key} is not restored: {'missing' if now is None else 'corrupt'} again"
                )
            left += 1
        restored = self.plan.count - left
        later = f" · {left} written by the service meanwhile, left as they are" if left else ""
        return f"{objects(restored)} in {self.plan.bucket}, SHA-256 as in the backup{later}"

    def undo(self, course: Course, /) -> str:
        left = sum(at_once(self._put_back, self.bench.entries(), course.report, course))
        later = f"; {objects(left)} written by the service since: not touched" if left else ""
        return f"{objects(self.plan.count - left)} of {self.plan.bucket} as before{later}"

    def _restore(self, entry: Entry) -> None:
        stores = self.bench.stores
        now = stores.live.look(entry.key)
        if not self.bench.is_restored(entry, now):
            if now is not None and not _is(now, entry.before):
                return  # somebody wrote it since: newer than every backup
            source = ObjectFacts(entry.source, entry.size, entry.etag, 0.0)
            stores.live.copy_from(stores.backup, source, entry.key)
        found = stores.live.sha256(entry.key)
        if found != (entry.sha256 or stores.backup.sha256(entry.source)):
            raise StepFailed(
                f"{entry.key}: what was copied has another SHA-256 than what the backup should hold"
            )

    def _put_back(self, entry: Entry) -> bool:
        """Bring back what was before; True where it was left, since somebody has written something else there."""
        stores, versioning = self.bench.stores, self.plan.versioning
        now = stores.live.look(entry.key)
        if self.bench.is_before(entry, now):
            return False
        if now is not None and not self.bench.is_restored(entry, now):
            return True
        if versioning == "Enabled":
            self._remove_versions(entry)
        elif overwrites(entry, versioning):
            self._copy_back(entry)
        elif now is not None:
            # A deletion that was kept as the version `null` comes back by deleting; else that version goes for good.
            plainly = versioning == "" or "null" in entry.versions
            stores.live.remove(entry.key, None if plainly else "null")
        if not self.bench.is_before(entry, stores.live.look(entry.key)):
            raise StepFailed(f"{entry.key} in {self.plan.bucket} is not what it was before")
        return False

    def _remove_versions(self, entry: Entry) -> None:
        for version in self.bench.stores.live.versions(entry.key):
            known = version.marker or version.id in entry.versions
            if not known and self.bench.is_restored(entry, version, version.id):
                self.bench.stores.live.remove(entry.key, version.id)

    def _copy_back(self, entry: Entry) -> None:
        stores = self.bench.stores
        kept = stores.backup.look(self.bench.kept_as(entry))
        if kept is None:
            raise StepFailed(
                f"{self.bench.kept_as(entry)}, the object of before, is gone from {self.plan.backup_bucket}: put it "
                "back there, then run this again"
            )
        stores.live.copy_from(stores.backup, kept, entry.key)


class Recheck(Step):
    """Compares bucket and backup afresh: nothing that a backup holds is missing or corrupt."""

    name = "compare again"
    timeout_s = _LONGEST_S

    def __init__(self, find: Callable[[Callable[[str], None]], str]) -> None:
        self.find = find

    @property
    def commands(self) -> tuple[str, ...]:
        return ("compare bucket, backup, record and usage log afresh",)

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, course: Course, /) -> None:
        del course  # verifying is all there is

    def verify(self) -> str:
        return self.find(lambda _: None)

    def undo(self, _: Course, /) -> str:
        return ""


def describe_state(bench: Bench) -> list[str]:
    """How many objects are restored, as before, or neither; says so where that cannot be told."""
    plan = bench.plan
    try:
        live = {facts.key: facts for facts in bench.stores.live.list()}
    except StoreError as error:
        return [f"{plan.bucket}: cannot be told: {error}"]
    restored = sum(
        (now := live.get(entry.key)) is not None and now.etag == entry.etag for entry in bench.entries()
    )
    before = sum(
        _is(live[entry.key], entry.before) if entry.key in live else entry.before is None
        for entry in bench.entries()
    )
    other = plan.count - restored - before
    return [
        f"{plan.bucket}: of {objects(plan.count)} {restored} restored, {before} as before, {other} neither",
        *_describe_kept(bench),
    ]


def _describe_kept(bench: Bench) -> list[str]:
    """Whether the objects of before are where a way back would take them from."""
    wanted, where = bench.to_keep(), f"{bench.plan.backup_bucket}/{bench.plan.kept}"
    if not wanted:
        return []
    try:
        kept = {facts.key for facts in bench.stores.backup.list(bench.plan.kept)}
    except StoreError as error:
        return [f"{where}, the objects of before: cannot be told: {error}"]
    there = sum(bench.kept_as(entry) in kept for entry in wanted)
    return [f"{there} of {objects(wanted)} of before in {where}"]


def _is(facts: ObjectFacts | None, before: Before | None) -> bool:
    return facts is not None and before is not None and (facts.size, facts.etag) == (before.size, before.etag)


def _examples(entries: tuple[Entry, ...], plan: ObjectsPlan) -> tuple[str, ...]:
    shown = [f"  {plan.backup_bucket}/{entry.source} -> {plan.bucket}/{entry.key}" for entry in entries[:3]]
    return (*shown, f"  and {plan.count - 3} more, listed in {plan.list}") if plan.count > 3 else tuple(shown)
