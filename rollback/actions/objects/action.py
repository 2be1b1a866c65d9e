"""The action `objects`, data recovery: copy what is missing or corrupt in the bucket from its backup, nothing else."""

from collections.abc import Callable, Sequence

import msgspec

from rollback import clock
from rollback.action import Action, Survey
from rollback.actions.objects.backups import FLAT, Backup, backups, choose
from rollback.actions.objects.compare import Compared, Cure, compare
from rollback.actions.objects.plan import (
    Before,
    Entry,
    ObjectsPlan,
    digest,
    encode,
    kept_below,
    objects,
    overwrites,
    read_entries,
)
from rollback.actions.objects.steps import Bench, Keep, Recheck, Restore, describe_state
from rollback.actions.objects.stores import BackupContent, Content, Stores, at_once, open_stores
from rollback.actions.objects.truth import Truth, ask, refuse_strangers
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.site import Site
from rollback.step import Finding, Step
from target.errors import HostError, StoreError
from target.object_writing import Versioning
from target.record import Record


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found, and the backups it chose from, the one that was compared with first."""

    compared: Compared
    sources: tuple[Backup, ...]
    total: int
    taken: float
    findings: tuple[Finding, ...]


class ObjectsAction(Action[ObjectsPlan]):
    """`to` is the name of the backup to restore from, where it is not the newest; `record` says what is good.

    Raises TargetError when the target has no `objects` or no backup of them.
    """

    name = "objects"
    level = 0
    plan_type = ObjectsPlan
    restarts = False

    def __init__(self, site: Site, to: str | None = None, record: Record | None = None) -> None:
        self.site = site
        self.to = to
        self.record = record
        self.stores: Stores = open_stores(site.target)
        self._entries: tuple[Entry, ...] | None = None

    def survey(self, stamp: str, last: Story | None) -> Survey[ObjectsPlan]:
        del last
        try:
            found = self._compare(lambda _: None)
            versioning = self.stores.live.versioning()
            self._entries = self._entries_of(found, versioning)
        except StoreError as error:
            raise Refused(f"{error}; nothing was changed") from error
        compared, chosen = found.compared, found.sources[0]
        used = sorted({cure.backup for cure in compared.cures})
        content = encode(self._entries)
        plan = ObjectsPlan(
            was_ready=False,
            bucket=self.stores.live.bucket,
            backup_bucket=self.stores.backup.bucket,
            backups=tuple(found.sources[number].name for number in used),
            only=self.to,
            versioning=versioning,
            missing=compared.missing,
            corrupt=compared.corrupt,
            size=compared.size,
            sets_aside=sum(overwrites(entry, versioning) for entry in self._entries),
            kept=kept_below(stamp),
            list=f"{self.site.state_dir}/objects/{stamp}.jsonl",
            digest=digest(content),
        )
        already = ""
        if not compared.cures:
            lost = _lost(found)
            already = f"nothing that the backups hold is missing or corrupt in {plan.bucket}" + (
                f"; but {lost}" if lost else f" ({objects(found.total)})"
            )
        return Survey(
            goal=f"objects of {plan.bucket} from {self._where(chosen)}",
            message=f"{plan.missing} missing and {plan.corrupt} corrupt objects of {plan.bucket}",
            plan=plan,
            findings=(*found.findings, *_findings(found)),
            already=already,
        )

    def seal(self, plan: ObjectsPlan) -> ObjectsPlan:
        self.site.host.make_folder(plan.list.rpartition("/")[0])
        self.site.host.write_atomically(plan.list, encode(self._list(plan)))
        return plan

    def changes(self, plan: ObjectsPlan) -> tuple[Step, ...]:
        bench = self._bench(plan)
        return (*((Keep(bench),) if plan.sets_aside else ()), Restore(bench))

    def proofs(self, plan: ObjectsPlan) -> tuple[Step, ...]:
        return (Recheck(lambda report: self._again(plan, report)),)

    def changed(self, plan: ObjectsPlan) -> float:
        del plan
        return 0.0  # nothing has to be younger: the service reads the bucket as it is

    def learn(self, plan: ObjectsPlan) -> None:
        """Nothing in a plan or in its list is secret."""

    def check_resume(self, plan: ObjectsPlan, *, back: bool) -> None:
        if self.to is not None and self.to != plan.only:
            raise Refused(
                f"an unfinished run restores from {', '.join(plan.backups)}, not from {self.to}: end it first, with "
                "--resume or --undo"
            )
        self._same_buckets(plan)
        self._list(plan)
        del back

    def check_undo(self, plan: ObjectsPlan) -> list[Finding]:
        self._same_buckets(plan)
        bench = self._bench(plan)
        try:
            if not self.stores.live.exists():
                raise Refused(f"the bucket {plan.bucket} is not there; nothing was changed")
            kept = {facts.key for facts in self.stores.backup.list(plan.kept)}
            unkept = [entry for entry in bench.to_keep() if bench.kept_as(entry) not in kept]
            there = at_once(lambda entry: self.stores.live.look(entry.key), unkept, lambda _: None)
        except StoreError as error:
            raise Refused(f"{error}; nothing was changed") from error
        gone = [
            entry.key for entry, now in zip(unkept, there, strict=True) if not bench.is_before(entry, now)
        ]
        if gone:
            raise Refused(
                f"{objects(gone)} of before gone from {plan.backup_bucket}/{plan.kept}, for example {gone[0]}; "
                "nothing was changed"
            )
        return [Finding(f"{objects(plan.count)} in the list of that run; {len(kept):,} kept from before")]

    def goal_of(self, plan: ObjectsPlan) -> str:
        return f"objects of {plan.bucket} from {plan.backup_bucket} ({', '.join(plan.backups)})"

    def state(self, plan: ObjectsPlan) -> list[str]:
        try:
            return describe_state(self._bench(plan))
        except (Refused, HostError) as error:
            return [str(error)]

    def _compare(self, report: Callable[[str], None]) -> Found:
        stores = self.stores
        for store in (stores.live, stores.backup):
            if not store.exists():
                raise Refused(
                    f"{store.server} has no bucket {store.bucket}: make it, or correct the target; nothing was changed"
                )
        where = f"{stores.backup.server}, bucket {stores.backup.bucket},"
        found = backups(stores.backup, stores.pattern)
        contents = [
            BackupContent(stores.backup, report, source, stores.pattern)
            for source in choose(found, self.to, where)
        ]
        while contents and not contents[0].objects:  # a server may still show a folder that was emptied
            del contents[0]
        if not contents:
            choose([each for each in found if each.made == "incomplete"], self.to, where)
        live = Content(stores.live, report)
        truth, findings = ask(self.site, self.record)
        first = contents[0]
        manifest = first.manifest
        if manifest is not None and manifest.bucket != stores.live.bucket:
            raise Refused(
                f"{self._where(first.backup)} is a snapshot of the bucket {manifest.bucket}, not of "
                f"{stores.live.bucket}; nothing was changed"
            )
        taken = manifest.taken_at if manifest else max(facts.modified for facts in first.objects.values())
        refuse_strangers(truth, live.objects, first.objects, taken)
        if manifest is not None and (spoilt := len(manifest.objects) - len(first.verified)):
            findings.append(
                Finding(f"{objects(spoilt)} of {first.backup.name} not what its manifest says", doubt=True)
            )
        return Found(
            compared=compare(live, contents, truth),
            sources=tuple(content.backup for content in contents),
            total=len(live.objects),
            taken=taken,
            findings=(*findings, *_newer_than(truth, taken)),
        )

    def _entries_of(self, found: Found, versioning: Versioning) -> tuple[Entry, ...]:
        cures: Sequence[Cure] = found.compared.cures
        kept: list[tuple[str, ...]] = [()] * len(cures)
        if versioning:
            versions = self.stores.live.versions
            kept = at_once(
                lambda cure: tuple(version.id for version in versions(cure.key)), cures, lambda _: None
            )
        return tuple(
            Entry(
                key=cure.key,
                source=cure.source.key,
                size=cure.source.size,
                etag=cure.source.etag,
                sha256=cure.sha256,
                before=None if cure.before is None else Before(cure.before.size, cure.before.etag),
                versions=ids,
            )
            for cure, ids in zip(cures, kept, strict=True)
        )

    def _again(self, plan: ObjectsPlan, report: Callable[[str], None]) -> str:
        """A fresh comparison that finds nothing to restore. Raises StepFailed, StoreError."""
        self.to = plan.only
        found = self._compare(report)
        if found.compared.cures:
            first = found.compared.cures[0]
            word = "missing" if first.before is None else "corrupt"
            raise StepFailed(
                f"{objects(found.compared.cures)} of {plan.bucket} missing or corrupt again, for example "
                f"{first.key} ({word}): is somebody else writing there?"
            )
        lost = _lost(found)
        return (
            f"{objects(found.total)}, {found.compared.alike:,} as in {found.sources[0].name}, nothing to restore"
            + (f"; but {lost}" if lost else "")
        )

    def _bench(self, plan: ObjectsPlan) -> Bench:
        return Bench(self.stores, plan, lambda: self._list(plan))

    def _list(self, plan: ObjectsPlan) -> tuple[Entry, ...]:
        if self._entries is None:
            self._entries = read_entries(self.site, plan)
        return self._entries

    def _same_buckets(self, plan: ObjectsPlan) -> None:
        now = (self.stores.live.bucket, self.stores.backup.bucket)
        if now != (plan.bucket, plan.backup_bucket):
            raise Refused(
                f"that run was on the bucket {plan.bucket} with the backup in {plan.backup_bucket}, and the target "
                f"names {now[0]} and {now[1]}: correct the target; nothing was changed"
            )

    def _where(self, backup: Backup) -> str:
        return (
            self.stores.backup.bucket if backup.name == FLAT else f"{self.stores.backup.bucket}/{backup.name}"
        )


def _newer_than(truth: Truth, taken: float) -> list[Finding]:
    newer = sum(known.created > taken for known in truth.known.values())
    return [Finding(f"taken {clock.minute(taken)}; {newer} recordings are newer than that", minor=not newer)]


def _findings(found: Found) -> list[Finding]:
    compared = found.compared
    told = [
        Finding(
            f"{objects(compared.alike)} of {found.total:,} as in the backup; {compared.missing:,} missing and "
            f"{compared.corrupt:,} corrupt, {compared.size / 1e6:.1f} MB to copy"
        )
    ]
    if compared.good:
        told.append(Finding(f"{objects(compared.good)} other than in the backup, and good: not touched"))
    doubts = (
        (compared.unsure, "other than in the backup, and nothing says which is right: not touched"),
        (
            compared.unknown,
            "of the backup named by neither usage log nor record: left out; restore lost rows first",
        ),
    )
    told += [Finding(f"{objects(keys)} {says} ({_some(keys)})", doubt=True) for keys, says in doubts if keys]
    lost = _lost(found)
    return [*told, *([Finding(lost, doubt=True)] if lost else [])]


def _lost(found: Found) -> str:
    compared = found.compared
    if not compared.lost:
        return ""
    spoilt = f", {len(compared.spoilt):,} of them spoilt there too" if compared.spoilt else ""
    return f"{objects(compared.lost)} lost: good in no backup{spoilt} ({_some(compared.lost)})"


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
