"""Whether the server has room for the dump: in the scratch database, staged, and merged."""

from rollback.database.server import Live
from rollback.errors import Refused
from rollback.site import Site
from rollback.step import Finding
from target.description import Database

_TIMES = 4  # scratch with its indexes, staged, merged, and the log of it
_HERE = ("", "localhost", "127.0.0.1", "::1")


def room(site: Site, settings: Database, live: Live, size: int) -> list[Finding]:
    """Looks where the server runs on the host itself; a finding either way. Raises Refused when there is too little."""
    from psycopg import conninfo

    where = str(conninfo.conninfo_to_dict(settings.admin_url or "").get("host") or "")
    needed = size * _TIMES
    if live.data_directory is None or not (where in _HERE or where.startswith("/")):
        return [
            Finding(
                f"room on the database server cannot be seen; about {megabytes(needed)} are needed",
                minor=True,
            )
        ]
    ran = site.host.run(["df", "-P", "-k", live.data_directory])
    fields = ran.stdout.splitlines()[-1].split() if ran.ok and ran.stdout else []
    if len(fields) < 4 or not fields[3].isdecimal():
        return [Finding(f"room for about {megabytes(needed)} cannot be seen", minor=True)]
    free = int(fields[3]) * 1024
    if free < needed:
        raise Refused(
            f"{live.data_directory} on {site.host.url} has {megabytes(free)} free, and restoring needs about "
            f"{megabytes(needed)}: free some there; nothing was changed"
        )
    return [Finding(f"{megabytes(free)} free, about {megabytes(needed)} needed", minor=True)]


def megabytes(size: int) -> str:
    """`1.2 GB`, `35 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
