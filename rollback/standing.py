"""The subcommand `status`: what runs, whether it is known good, what one can go back to, and what to type."""

from argparse import Namespace

import msgspec

from rollback import clock, nextstep
from rollback.actions.environment.action import EnvironmentAction
from rollback.journal import Journals
from rollback.lock import Lock
from rollback.progress import Progress
from rollback.readiness import ready, started
from rollback.site import Site
from target import environment
from target.description import Target
from target.errors import HostError, RecordError
from target.record import Record, describe
from target.redact import secrets_of


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one host stands. `good` is True, False, or None where nothing is recorded to compare with.

    `back_to` are environment files one can go to; `unfinished` and `lock` are empty when there is none.
    """

    host: str
    service: str
    works: bool
    serves: str
    good: bool | None
    why: str
    expected: str | None
    back_to: tuple[str, ...]
    records: tuple[str, ...]
    last: str
    unfinished: str
    lock: str
    next: str


def look(site: Site) -> Standing:
    """Look at a host, changing nothing there. Raises TargetError when it cannot be reached."""
    held = Lock(site.host, site.state_dir).look()
    newest = Journals(site.host, site.state_dir, site.redactor).newest()
    try:
        records, expected, trouble = site.records.all(), site.records.expected(), ""
    except RecordError as error:
        records, expected, trouble = [], None, str(error)
    works, seen, health = ready(site)
    served = ""
    if health is not None:
        served = " ".join(text for text in (health.version, (health.revision or "")[:7]) if text)
    good, why = _known_good(site, records, expected, works, seen, health.version if health else None)
    back_to, way_back = _back_to(site, records)
    unfinished = ""
    if newest is not None and newest.open:
        unfinished = f"{newest.begin.action} {newest.run} by {newest.begin.by}, {newest.stands_at}"
    return Standing(
        host=site.host.url,
        service=_service(site),
        works=works,
        serves=served or seen,
        good=good,
        why=trouble or why,
        expected=describe(expected) if expected else None,
        back_to=back_to,
        records=tuple(describe(record) for record in records[:5]),
        last=f"{newest.run}, {newest.stands_at}" if newest else "",
        unfinished=unfinished,
        lock=held.says() if held else "",
        next=_next(
            unfinished,
            newest.begin.action if newest else "",
            held is not None and not held.mine_and_dead,
            works,
            good,
            bool(records),
            way_back,
        ),
    )


def show(found: Standing, target: Target, options: Namespace, progress: Progress) -> None:
    """Print it, the worst first."""
    progress.line(f"{target.name} · {target.api.url} · {found.host}")
    if found.lock:
        progress.entry("lock", found.lock, tone="doubt")
    if found.unfinished:
        progress.entry("unfinished", found.unfinished, tone="bad")
    known = {True: "known good", False: "NOT as recorded", None: "not known to be good"}[found.good]
    progress.entry("runs", f"{found.service} · {found.serves}", tone="" if found.works else "bad")
    progress.entry(known, found.why, tone={True: "good", False: "bad", None: "doubt"}[found.good])
    for text in found.back_to:
        progress.entry("can go back to", text)
    for text in found.records:
        progress.entry("record", text)
    if found.last and not found.unfinished:
        progress.entry("last run", found.last)
    progress.command(nextstep.with_target(f"  now   {found.next}", options))


def _service(site: Site) -> str:
    if site.controller is None:
        return "the target names no service control"
    try:
        status = site.controller.status()
    except HostError as error:
        return str(error)
    since = f" since {clock.minute(status.started_at)} UTC" if status.started_at else ""
    return f"{site.controller.name} {started(status)}{since}"


def _known_good(
    site: Site, records: list[Record], expected: Record | None, works: bool, seen: str, version: str | None
) -> tuple[bool | None, str]:
    if expected is None:
        return None, "there is no healthy record to compare with"
    if not works:
        return False, seen
    wrong = []
    if expected.version and version != expected.version:
        wrong.append(f"serves {version}, expected is {expected.version}")
    if expected.environment is not None and site.target.environment is not None:
        try:
            keyed = site.records.keyed_hash(site.host.read(site.target.environment.file))
        except (HostError, RecordError) as error:
            return None, str(error)
        if keyed != expected.environment.file_hmac:
            others = [
                record.name
                for record in records
                if record.environment and record.environment.file_hmac == keyed
            ]
            whose = f"that of {others[0]}" if others else "of no record"
            wrong.append(
                f"{site.target.environment.file} is not the recorded one of {expected.name} but {whose}"
            )
    return not wrong, "; ".join(wrong) or f"version and environment are those of {describe(expected)}"


def _back_to(site: Site, records: list[Record]) -> tuple[tuple[str, ...], bool]:
    """The previous environment, judged as far as can be without asking anybody, and whether it is a way back."""
    settings = site.target.environment
    if settings is None:
        return (), False
    facts = site.host.facts(settings.previous)
    if facts is None:
        return (f"{settings.previous} is not there",), False
    try:
        content = site.host.read(settings.previous)
    except HostError as error:
        return (str(error),), False
    reading = environment.read(content, settings.reader)
    site.redactor.add(secrets_of(reading.variables))
    says = [f"{settings.previous} of {clock.minute(facts.modified)}", f"{len(reading.variables)} variables"]
    if any(record.environment for record in records):
        keyed = site.records.keyed_hash(content)
        same = [record for record in records if record.environment and record.environment.file_hmac == keyed]
        says.append(f"environment of {describe(same[0])}" if same else "the environment of no record")
    if reading.faults:
        says.append(f"cannot be used: {reading.faults[0]}")
    current = site.host.facts(settings.file)
    equal = current is not None and site.host.read(settings.file) == content
    if equal:
        says.append("equal to the one in place")
    return (" · ".join(says),), not equal and not reading.faults


def _next(
    unfinished: str, action: str, held: bool, works: bool, good: bool | None, recorded: bool, way_back: bool
) -> str:
    if unfinished:
        return f"python -m rollback {action} --resume{' --break-lock' if held else ''}"
    if not works or good is False:
        return (
            f"python -m rollback {EnvironmentAction.name} --dry-run"
            if way_back
            else "python -m checks triage"
        )
    if not recorded:
        return "python -m rollback record"
    return "pytest -m post_rollback"
