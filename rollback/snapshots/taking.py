"""The subcommand `snapshot`: take the backups that the actions go back to, of a service that is proven to be good."""

import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from rollback import clock
from rollback.difference import compare, served
from rollback.errors import LockLost, Refused
from rollback.journal import Journals
from rollback.lock import Lock, whoami
from rollback.progress import Progress
from rollback.readiness import ready, started, started_after
from rollback.site import Site
from rollback.snapshots import catalogue
from rollback.snapshots.entry import Snapshot, Snapshots, Taken
from rollback.snapshots.part import Part
from target.errors import RecordError, TargetError
from target.record import Record, describe
from target.service import settled


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one part went. `says` is what was taken and where, what keeps it from being taken, or why it failed."""

    name: str
    outcome: Literal["taken", "planned", "not offered", "failed", "not begun"]
    says: str
    seconds: float = 0.0


class SnapshotResult(msgspec.Struct, frozen=True, kw_only=True):
    """One host's snapshot; `exit_code` is that of the command line. `pruned` names the older backups that are gone."""

    host: str
    stamp: str = ""
    record: str = ""
    outcome: Literal["done", "planned", "failed", "interrupted", "refused"]
    parts: tuple[PartResult, ...] = ()
    pruned: tuple[str, ...] = ()
    seconds: float = 0.0
    why: str = ""

    @property
    def exit_code(self) -> int:
        return {"done": 0, "planned": 0, "failed": 1, "interrupted": 2, "refused": 5}[self.outcome]


TONES = {"done": "good", "planned": "", "failed": "bad", "interrupted": "doubt", "refused": "bad"}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for; no `parts`: all that the target offers. `shared`: also the stores of all hosts."""

    parts: tuple[str, ...] = ()
    keep: int
    dry_run: bool = False
    break_lock: bool = False
    surely: bool = False
    shared: bool = True


class Taking:
    """A snapshot of one host. `stop` says whether the person wants it to stop before the next part (Ctrl-C)."""

    def __init__(self, site: Site, progress: Progress, stop: Callable[[], bool] = lambda: False) -> None:
        self.site = site
        self.progress = progress
        self.stop = stop
        self.lock = Lock(site.host, site.state_dir)
        self.snapshots = Snapshots(site.host, site.state_dir, site.redactor)

    def take(self, order: Order) -> SnapshotResult:
        """Take the parts in turn. Raises Refused with nothing changed, LockLost, TargetError (unusable target).

        A part that fails leaves its older backups as they were, and does not keep the others from being taken.
        """
        began = time.monotonic()
        held = self.lock.look()
        note = self.lock.judge(held, break_lock=order.break_lock, surely=order.surely)
        parts, lacking = self._parts(order)
        record = self._prove()
        stamp = self.snapshots.free_stamp(self.site.host.now())
        more = " · dry run" if order.dry_run else ""
        self.progress.line(
            f"{self.site.target.name} · snapshot of {describe(record)} · {self.site.host.url}{more}"
        )
        if note:
            self.progress.entry("lock", note, tone="doubt")
        for result in lacking:
            self.progress.entry(result.name, result.says, tone="doubt")
        if order.dry_run:
            return self._plan(parts, lacking, record, stamp, order.keep)
        message = f"snapshot: {', '.join(part.name for part in parts)}"
        with self.lock.hold(message, held, lambda text: self.progress.line(text, "doubt")) as still_held:
            results = self._take_each(parts, stamp, still_held)
            self._save(results, record, stamp)
            pruned: tuple[str, ...] = ()
            if all(result.outcome == "taken" for result in results):
                pruned = self._prune(parts, order.keep)
        outcomes = {result.outcome for result in results}
        return SnapshotResult(
            host=self.site.host.url,
            stamp=stamp,
            record=record.name,
            outcome="failed"
            if "failed" in outcomes
            else "interrupted"
            if "not begun" in outcomes
            else "done",
            parts=(*results, *lacking),
            pruned=pruned,
            seconds=time.monotonic() - began,
        )

    def _parts(self, order: Order) -> tuple[list[Part], list[PartResult]]:
        """What can be taken, and what cannot, by name. Raises Refused when nothing asked for can."""
        wanted = order.parts or tuple(catalogue.names())
        built = [catalogue.build(name, self.site) for name in catalogue.PARTS if name in wanted]
        lacking = {part.name: part.lacks() for part in built}
        place = self.site.target.source or self.site.target.name
        asked = [f"{name} ({lacking[name]})" for name in order.parts if lacking.get(name)]
        if asked:
            raise Refused(
                f"{place} lacks what a snapshot of this needs: {', '.join(asked)}; nothing was changed"
            )
        if all(lacking.values()):
            raise Refused(f"{place} offers nothing to take a snapshot of; nothing was changed")
        told = [
            PartResult(name=name, outcome="not offered", says=f"not taken: the target names no `{key}`")
            for name, key in lacking.items()
            if key
        ]
        taken = [part for part in built if not lacking[part.name]]
        return [part for part in taken if order.shared or part.name not in catalogue.SHARED], told

    def _prove(self) -> Record:
        """The record of what runs, which is healthy and as recorded. Raises Refused: the last good one stays."""
        stays = "nothing was taken, and the backups that are there stay as they are"
        last = Journals(self.site.host, self.site.state_dir, self.site.redactor).newest()
        if last is not None and last.open:
            raise Refused(last.comes_first)
        try:
            record = self.site.records.expected()
        except RecordError as error:
            raise Refused(f"{error}; {stays}") from error
        if record is None:
            raise Refused(
                f"there is no healthy record of what runs on {self.site.host.url}: python -m rollback record "
                f"takes one while all is well; {stays}"
            )
        _, seen, health = ready(self.site, at_first=True)
        if health is None or health.system_status != "healthy":
            raise Refused(f"{seen}: only what is healthy is worth going back to; {stays}")
        found = compare(self.site, record, health)
        if not found.same:
            raise Refused(
                f"what runs is not what {record.name} says: {found.says()}; if this is good: "
                f"python -m rollback record; {stays}"
            )
        self._refuse_old_process(served(health), stays)
        return record

    def _refuse_old_process(self, serves: str, stays: str) -> None:
        """The process has to have what lies on the host."""
        settings = self.site.target.environment
        if settings is None or self.site.controller is None:
            return
        facts = self.site.host.facts(settings.file)
        status = settled(self.site.controller)
        if facts is not None and not started_after(status, facts.changed):
            raise Refused(
                f"{settings.file} was changed after what serves {serves} was started ({started(status)}), so that "
                f"another environment may be what runs: restart the service first; {stays}"
            )

    def _plan(
        self, parts: list[Part], lacking: list[PartResult], record: Record, stamp: str, keep: int
    ) -> SnapshotResult:
        says = f"would be taken and verified; the newest {keep} stay"
        for part in parts:
            self.progress.entry(part.name, says)
        planned = [PartResult(name=part.name, outcome="planned", says=says) for part in parts]
        return SnapshotResult(
            host=self.site.host.url,
            stamp=stamp,
            record=record.name,
            outcome="planned",
            parts=(*planned, *lacking),
        )

    def _take_each(
        self, parts: Sequence[Part], stamp: str, still_held: Callable[[], None]
    ) -> list[PartResult]:
        results = []
        for part in parts:
            if self.stop():
                results.append(PartResult(name=part.name, outcome="not begun", says="interrupted before it"))
                self.progress.entry(part.name, "interrupted before it was begun", tone="doubt")
                continue
            still_held()
            began = time.monotonic()
            try:
                with self.progress.running(part.name) as report:
                    says = part.take(stamp, report)
            except LockLost:
                raise
            except TargetError as error:
                took = time.monotonic() - began
                results.append(PartResult(name=part.name, outcome="failed", says=str(error), seconds=took))
                self.progress.entry(part.name, f"failed: {error}", took, tone="bad")
                continue
            took = time.monotonic() - began
            results.append(PartResult(name=part.name, outcome="taken", says=says, seconds=took))
            self.progress.entry(part.name, says, took)
        return results

    def _save(self, results: list[PartResult], record: Record, stamp: str) -> None:
        taken = tuple(Taken(name=each.name, says=each.says) for each in results if each.outcome == "taken")
        if not taken:
            return
        self.snapshots.save(
            Snapshot(
                stamp=stamp,
                target=self.site.target.name,
                host=self.site.host.url,
                by=whoami(),
                record=record.name,
                version=record.version,
                revision=record.revision,
                parts=taken,
            )
        )

    def _prune(self, parts: Sequence[Part], keep: int) -> tuple[str, ...]:
        """Remove what is too old; that it cannot be removed spoils no snapshot."""
        gone: list[str] = []
        for part in parts:
            try:
                names = part.prune(keep)
            except TargetError as error:
                self.progress.entry(f"{part.name}, older", f"could not be removed: {error}", tone="doubt")
                continue
            if names:
                self.progress.entry(f"{part.name}, older", f"removed: {', '.join(names)}")
            gone += names
        self.snapshots.forget([part.name for part in parts], keep)
        return tuple(gone)


def conclusion(result: SnapshotResult, asked: Sequence[str]) -> list[str]:
    """The last lines for one host: what it came to first, then what to type. `asked` are the parts that were named."""
    took = clock.length(result.seconds)
    again = "python -m rollback snapshot"
    match result.outcome:
        case "done":
            return [f"done in {took}", "  now   python -m rollback status"]
        case "planned":
            return ["a dry run: nothing was changed", f"  now   {' '.join([again, *asked])}"]
        case "failed":
            failed = [part.name for part in result.parts if part.outcome == "failed"]
            return [
                f"FAILED: {', '.join(failed)}; the backups of before are as they were, and nothing was removed",
                f"  now   {again} {' '.join(failed)}    once that is mended",
            ]
        case "interrupted":
            left = [part.name for part in result.parts if part.outcome == "not begun"]
            return [f"interrupted after {took}, between parts", f"  go on  {again} {' '.join(left)}"]
        case "refused":
            return [f"refused: {result.why}"]
