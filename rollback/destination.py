"""Which released version to go back to: the newest with a healthy record, or the one that was named."""

from rollback.errors import Refused
from rollback.site import Site
from target.errors import RecordError
from target.record import Record, describe


def destination(site: Site, to: str | None = None) -> Record:
    """The record to go to: `to` is its name or version. One that is marked bad is never it.

    Raises Refused, saying what there is: no record, none healthy, unknown, or marked bad.
    """
    try:
        if to is not None:
            found = site.records.get(to)
            if found.state == "bad":
                raise Refused(
                    f"{describe(found)}: the record {found.name} is marked bad; nothing was changed; "
                    "`python -m rollback status` lists the others"
                )
            return found
        newest = site.records.newest_healthy()
    except RecordError as error:
        raise Refused(f"{error}; nothing was changed") from error
    if newest is None:
        raise Refused(
            f"no healthy record on {site.host.url} tells what to go back to: name it with --to; nothing was changed"
        )
    return newest
