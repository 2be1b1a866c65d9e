"""How `status` is shown to a person, the worst first."""

import time
from argparse import Namespace

from rollback import clock, nextstep
from rollback.progress import Progress
from rollback.snapshots.entry import Snapshot
from rollback.standing import Standing
from target.description import Target

_RELEASES = 6
_SNAPSHOTS = 3
_KNOWN = {
    True: ("known good", "good"),
    False: ("NOT as recorded", "bad"),
    None: ("not known to be good", "doubt"),
}


def show(found: Standing, target: Target, options: Namespace, progress: Progress) -> None:
    """Print it, ending with the one command to type."""
    progress.line(f"{target.name} · {target.api.url} · {found.host}")
    if found.lock:
        progress.entry("lock", found.lock.says, tone="doubt")
    last = found.last
    if last is not None and last.open:
        progress.entry("unfinished", f"{last.action} {last.run} by {last.by}, {last.stands_at}", tone="bad")
    progress.entry("runs", found.running.says, tone="" if found.running.works else "bad")
    words, tone = _KNOWN[found.good]
    progress.entry(words, found.why, tone=tone)
    for trouble in found.trouble:
        if trouble != found.why:
            progress.entry("cannot be told", trouble, tone="doubt")
    for way in found.ways:
        label = "can go back to" if way.usable else "there already" if way.same else "no way back"
        progress.entry(label, f"{way.action}: {way.says}")
    for release in found.releases[:_RELEASES]:
        progress.entry("release", release.says(), tone="bad" if release.state == "bad" else "")
    _more(progress, "release", len(found.releases) - _RELEASES)
    for snapshot in found.snapshots[:_SNAPSHOTS]:
        progress.entry("snapshot", _snapshot(snapshot))
    _more(progress, "snapshot", len(found.snapshots) - _SNAPSHOTS)
    if last is not None and not last.open:
        progress.entry("last run", f"{last.run} by {last.by}, {last.stands_at}")
    progress.command(nextstep.with_target(f"  now   {found.next}", options))


def _more(progress: Progress, name: str, number: int) -> None:
    if number > 0:
        progress.entry(name, f"and {number} older: python -m rollback status --json")


def _snapshot(snapshot: Snapshot) -> str:
    release = " ".join(text for text in (snapshot.version, (snapshot.revision or "")[:7]) if text)
    age = clock.ago(time.time() - clock.of_stamp(snapshot.stamp))
    parts = ", ".join(taken.name for taken in snapshot.parts)
    return f"{snapshot.stamp} · {age} · of {release or snapshot.record} · {parts}"
