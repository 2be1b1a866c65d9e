"""Whose code the dated backups hold, as far as their manifests tell."""

from collections.abc import Sequence

from rollback import codebackup
from rollback.site import Site
from rollback.way import Way
from target.record import Record, describe


def glance(site: Site, records: Sequence[Record]) -> Way | None:
    """The healthy records that there are backups of; None where the target names none. Raises TargetError."""
    code = site.target.code
    if code is None or code.backups is None:
        return None
    backups = codebackup.listed(site, code)
    there = [
        record
        for record in records
        if record.state == "healthy" and any(codebackup.is_of(backup, record) for backup in backups)
    ]
    if not there:
        return Way("files", f"none of {len(backups)} backups is of a healthy record", usable=False)
    return Way(
        "files",
        f"{len(backups)} backups, the newest of a healthy record is of {describe(there[0])}",
        usable=True,
        records=tuple(record.name for record in there),
    )
