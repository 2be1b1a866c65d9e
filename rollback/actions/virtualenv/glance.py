"""What the backup of the virtualenv is of, as far as its packages tell."""

from collections.abc import Sequence

from rollback import venv
from rollback.site import Site
from rollback.way import Way
from target.errors import HostError
from target.record import Record, describe


def glance(site: Site, records: Sequence[Record]) -> Way | None:
    """Whose packages the backup has; None where the target names none. Raises TargetError."""
    settings = site.target.virtualenv
    if settings is None or settings.backup is None:
        return None
    try:
        found = venv.look(site, settings.backup.rstrip("/"), settings.path.rstrip("/"))
    except HostError:
        return Way("virtualenv", f"{settings.backup} is not there", usable=False)
    same = [record for record in records if record.packages is not None and not venv.problems(found, record)]
    if not same:
        why = "; ".join(venv.problems(found, None)[:1]) or "the packages of no record"
        return Way("virtualenv", f"{settings.backup}: {why}", usable=False)
    good = [record for record in same if record.state == "healthy"]
    return Way(
        "virtualenv",
        f"{settings.backup} · packages of {describe((good or same)[0])}",
        usable=bool(good),
        records=tuple(record.name for record in good),
    )
