"""The subcommand `status`: what runs, whether it is known good, what one can go back to, and what to type."""

import time
from collections.abc import Sequence

import msgspec

from rollback import clock
from rollback.catalogue import OFFERS
from rollback.difference import Comparison, Difference, chosen, compare
from rollback.errors import Refused
from rollback.journal import Journals, Story
from rollback.lock import Held, Lock
from rollback.readiness import ready, started
from rollback.releases import Release, releases
from rollback.remedy import ORDER, remedies
from rollback.site import Site
from rollback.snapshots.entry import Snapshot, Snapshots
from rollback.way import Way
from target.api import Health
from target.errors import HostError, RecordError, TargetError
from target.record import Record, describe


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What runs and serves. `says` are words for both; the rest is None where it cannot be told."""

    works: bool
    says: str
    service: str | None = None
    state: str | None = None
    pid: int | None = None
    started_at: str | None = None
    version: str | None = None
    revision: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The last run: `stands_at` is where it stands, in a few words; `open`: it still has to be brought to an end."""

    run: str
    action: str
    by: str
    stands_at: str
    open: bool


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock; `alive` is whether the process still runs, None where that cannot be seen from here."""

    says: str
    owner: str | None
    message: str | None
    since: str
    alive: bool | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one host stands. `good` is True, False, or None where that cannot be told; `why` says so in words.

    `trouble` is what kept something from being told; `next` is the one command to type.
    """

    target: str
    host: str
    running: Running
    good: bool | None
    why: str
    expected: str | None
    differs: tuple[Difference, ...]
    ways: tuple[Way, ...]
    releases: tuple[Release, ...]
    snapshots: tuple[Snapshot, ...]
    last: Run | None
    lock: Locked | None
    trouble: tuple[str, ...]
    next: str


def look(site: Site) -> Standing:
    """Look at a host, changing nothing there. Raises TargetError when it cannot be reached."""
    held = Lock(site.host, site.state_dir).look()
    newest = Journals(site.host, site.state_dir, site.redactor).newest()
    trouble: list[str] = []
    records: list[Record] = []
    expected: Record | None = None
    try:
        records, expected = site.records.all(), site.records.expected()
    except RecordError as error:
        trouble.append(str(error))
    works, seen, health = ready(site)
    found = None if expected is None else compare(site, expected, health)
    good, why = _judge(expected, found, works, seen)
    if good and expected is not None and (choice := chosen(site, expected)):
        why = f"{why}; {choice}"
    ways = _ways(site, records, trouble)
    return Standing(
        target=site.target.name,
        host=site.host.url,
        running=_running(site, works, seen, health),
        good=good,
        why=trouble[0] if trouble and expected is None else why,
        expected=expected.name if expected else None,
        differs=found.differs if found else (),
        ways=ways,
        releases=releases(records, expected, ways, time.time()),
        snapshots=_snapshots(site, trouble),
        last=_run(newest),
        lock=_locked(held),
        trouble=tuple(trouble),
        next=_waiting(newest, held) or _next(site, works, good, found, records, ways),
    )


def _running(site: Site, works: bool, seen: str, health: Health | None) -> Running:
    served = seen
    if health is not None:
        said = " ".join(text for text in (health.version, (health.revision or "")[:7]) if text)
        served = said if said and works else f"{said or 'no version'}, {seen}"
    version, revision = (health.version, health.revision) if health else (None, None)
    if site.controller is None:
        says = f"the target names no service control · {served}"
        return Running(works=works, says=says, version=version, revision=revision)
    name = site.controller.name
    try:
        status = site.controller.status()
    except HostError as error:
        return Running(
            works=works, says=f"{error} · {served}", service=name, version=version, revision=revision
        )
    since = ""
    if status.started_at is not None:
        since = f" on {clock.minute(status.started_at)[:10]}, {clock.ago(time.time() - status.started_at)}"
    return Running(
        works=works,
        says=f"{name} {started(status)}{since} · {served}",
        service=name,
        state=status.state,
        pid=status.pid,
        started_at=None if status.started_at is None else clock.iso(status.started_at),
        version=version,
        revision=revision,
    )


def _judge(
    expected: Record | None, found: Comparison | None, works: bool, seen: str
) -> tuple[bool | None, str]:
    if expected is None or found is None:
        return None, "there is no healthy record to compare with"
    if not works:
        return False, "; ".join(text for text in (seen, found.says()) if text)
    if found.differs:
        return False, found.says()
    if found.untold:
        return None, found.says()
    parts = ", ".join(found.compared) or "nothing that the target offers"
    return True, f"as recorded for {describe(expected)}: {parts}"


def _ways(site: Site, records: Sequence[Record], trouble: list[str]) -> tuple[Way, ...]:
    ways = []
    for name in ORDER:
        if name not in OFFERS:
            continue
        try:
            way = OFFERS[name].glance(site, records)
        except TargetError as error:
            trouble.append(f"{name}: {error}")
            continue
        if way is not None:
            ways.append(way)
    return tuple(ways)


def _snapshots(site: Site, trouble: list[str]) -> tuple[Snapshot, ...]:
    try:
        return tuple(Snapshots(site.host, site.state_dir, site.redactor).all())
    except Refused as error:
        trouble.append(str(error))
        return ()


def _run(story: Story | None) -> Run | None:
    if story is None:
        return None
    return Run(
        run=story.run,
        action=story.begin.action,
        by=story.begin.by,
        stands_at=story.stands_at,
        open=story.open,
    )


def _locked(held: Held | None) -> Locked | None:
    if held is None:
        return None
    return Locked(
        says=held.says(),
        owner=held.owner.owner if held.owner else None,
        message=held.owner.message if held.owner else None,
        since=clock.iso(held.since),
        alive=held.alive if held.here else None,
    )


def _waiting(newest: Story | None, held: Held | None) -> str:
    """What to type while something is going on, or was left unfinished; empty otherwise."""
    if held is not None and held.alive:
        return "python -m rollback status"
    if newest is None or not newest.open:
        return ""
    broken = " --break-lock" if held is not None and held.here and not held.mine_and_dead else ""
    return f"python -m rollback {newest.begin.action} --resume{broken}"


def _next(
    site: Site,
    works: bool,
    good: bool | None,
    found: Comparison | None,
    records: Sequence[Record],
    ways: Sequence[Way],
) -> str:
    if not works or good is False:
        useless = {way.action for way in ways if not way.usable}
        usable = [way.action for way in ways if way.usable]
        cures = usable if found is None else [name for name in remedies(site, found) if name not in useless]
        if found is None:  # nothing tells what differs: the lowest level first
            cures = sorted(cures, key=lambda name: OFFERS[name].level)[:1]
        if len(cures) > 1 and "set" in OFFERS:
            return "python -m rollback set --dry-run"
        return f"python -m rollback {cures[0]} --dry-run" if cures else "python -m checks triage"
    if not records:
        return "python -m rollback record"
    return "pytest -m post_rollback"
