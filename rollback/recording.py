"""The subcommand `record`: take the known-good facts of what runs, or mark a record bad."""

import time

import msgspec

from rollback.progress import Progress
from rollback.readiness import finish
from rollback.site import Site
from target import capture
from target.errors import RecordError
from target.record import Record, describe


def take(site: Site, name: str | None, progress: Progress) -> Record:
    """Capture and save a record, and expect it from now on. Raises RecordError when the service is not healthy."""
    started = time.monotonic()
    progress.line(f"{site.target.name} · record of what runs on {site.host.url}")
    with progress.running("capture") as report:

        def tell(text: str) -> None:
            report(text)
            progress.entry("capture", text)

        taken = finish(capture.record(site.target, site.host, site.records, tell))
    if name is not None:
        taken = msgspec.structs.replace(taken, name=name)
    site.records.save(taken)
    site.records.expect(taken.name)
    progress.entry("recorded", describe(taken), time.monotonic() - started)
    for part, says in _parts(taken):
        progress.entry(f"  {part}", says)
    progress.line(f"{site.state_dir}/records/{taken.name}.json on {site.host.url}", "good")
    return taken


def mark_bad(site: Site, name: str | None, why: str, progress: Progress) -> Record:
    """Mark a record bad: the named one, else the one that should be running. Raises RecordError when there is none."""
    if name is None:
        expected = site.records.expected()
        if expected is None:
            raise RecordError(f"there is no record on {site.host.url} to mark bad")
        name = expected.name
    marked = site.records.mark_bad(name, why)
    progress.line(f"{site.target.name} · {describe(marked)}")
    return marked


def summary(record: Record) -> dict[str, str | None]:
    """What a machine needs to know of it: name, version, revision, taken_at, state, why_bad."""
    names = ("name", "version", "revision", "taken_at", "state", "why_bad")
    return {name: getattr(record, name) for name in names}


def _parts(record: Record) -> list[tuple[str, str]]:
    """What it holds, and what the target does not offer, by name."""
    held = [
        ("environment", f"{len(record.environment.values)} variables" if record.environment else ""),
        ("providers", ", ".join(record.providers or {})),
        ("packages", f"{len(record.packages)}, Python {record.python}" if record.packages else ""),
        ("code", f"{len(record.code.files)} files" if record.code else ""),
        ("database", _days(record)),
        ("objects", f"{len(record.objects)}" if record.objects is not None else ""),
        ("latency", f"{len(record.latency.tts)} syntheses, {len(record.latency.stt)} transcriptions"),
    ]
    return [(part, says or "not recorded: the target does not offer it") for part, says in held]


def _days(record: Record) -> str:
    if record.database is None:
        return ""
    days = record.database.rows_per_day
    return f"{sum(days.values())} rows on {len(days)} days, revision {record.database.revision}"
