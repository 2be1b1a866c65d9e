"""The backup to go to: whether it is whole, whose it is, and whether it is young enough."""

import msgspec

from rollback import clock, codebackup
from rollback.codebackup import Backup
from rollback.errors import Refused
from rollback.site import Site
from rollback.step import Finding
from target.description import Code
from target.errors import HostError
from target.record import CodeRecord, Record, describe

_DAY_S = 86_400.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """`held` is what the backup holds; `record` the one that has this code, None where none has."""

    path: str
    taken: float
    held: CodeRecord
    record: Record | None
    findings: tuple[Finding, ...]


def of_record(site: Site, code: Code, record: Record) -> Candidate:
    """The newest whole backup of a record. Raises Refused: none, all incomplete or too old."""
    there = codebackup.listed(site, code)
    told: list[str] = []
    for backup in there:
        if not codebackup.is_of(backup, record):
            continue
        old = _too_old(site, code, backup)
        if old:
            told.append(f"{backup.name} {old}")
            continue
        held, missing = _hold(site, backup)
        if held is None or missing:
            told.append(f"{backup.name} is incomplete: {', '.join(missing)}")
            continue
        doubts = [Finding(text, doubt=True) for text in told]
        return Candidate(
            path=backup.path,
            taken=backup.taken,
            held=held,
            record=record,
            findings=(_whole(backup, held, f"of {describe(record)}"), *doubts),
        )
    raise Refused(f"{_why_none(site, code, there, record, told)}; nothing was changed")


def of_folder(site: Site, code: Code, path: str) -> Candidate:
    """The backup in a folder that the person named: where its past is doubtful they are taken at their word.

    That it is whole is not waived, nor that no record of its code is healthy. Raises Refused.
    """
    try:
        backup = codebackup.at(site, path)
    except HostError as error:
        raise Refused(f"{error}; nothing was changed") from error
    held, missing = _hold(site, backup)
    if held is None or missing:
        raise Refused(
            f"{backup.path} on {site.host.url} is incomplete: {', '.join(missing)}; nothing was changed"
        )
    records = [each for each in site.records.all() if each.code and each.code.tree_sha256 == held.tree_sha256]
    healthy = next((each for each in records if each.state == "healthy"), None)
    if records and healthy is None:
        raise Refused(
            f"{backup.path} has the code of {describe(records[0])}; nothing was changed; name another"
        )
    doubts = []
    if backup.manifest is None:
        doubts.append(f"{backup.name} has {backup.fault or 'no manifest'}: nothing tells whether it is whole")
    if healthy is None:
        doubts.append(f"{backup.name} has the code of no record")
    old = _too_old(site, code, backup)
    if old:
        doubts.append(f"{backup.name} {old}")
    whose = f"of {describe(healthy)}" if healthy else "of no record"
    return Candidate(
        path=backup.path,
        taken=backup.taken,
        held=held,
        record=healthy,
        findings=(_whole(backup, held, whose), *(Finding(text, doubt=True) for text in doubts)),
    )


def _hold(site: Site, backup: Backup) -> tuple[CodeRecord | None, list[str]]:
    """What it holds, and what of it is not as its manifest says."""
    try:
        held = codebackup.held(site, backup.path, site.target)
    except HostError as error:
        return None, [str(error).partition("; is `code`")[0]]
    if backup.manifest is not None:
        return held, codebackup.incomplete(backup.manifest, held)
    return held, [] if held.files else ["it holds no code"]


def _whole(backup: Backup, held: CodeRecord, whose: str) -> Finding:
    by = " by its manifest" if backup.manifest else ""
    return Finding(f"{backup.path}: {len(held.files)} files, whole{by}, {whose}")


def _too_old(site: Site, code: Code, backup: Backup) -> str:
    if code.max_age_days is None:
        return ""
    days = (site.host.now() - backup.taken) / _DAY_S
    if days <= code.max_age_days:
        return ""
    return f"is {days:.0f} days old (of {clock.minute(backup.taken)}), more than code.max_age_days allows"


def _why_none(site: Site, code: Code, there: list[Backup], record: Record, told: list[str]) -> str:
    where = f"{code.backups} on {site.host.url}"
    if not there:
        return f"there is no backup of the code, {where}; while all is well: python -m rollback snapshot code"
    if told:
        return f"no backup of {record.version or record.name} can be gone to: {'; '.join(told)}; name another with --to"
    without = next((backup for backup in there if backup.manifest is None), None)
    accept = f"; to take one without a manifest: --to {without.path}" if without else "; name one with --to"
    names = ", ".join(backup.says() for backup in there[:5])
    return f"no backup is of {describe(record)}, {where}: there is {names}{accept}"
