"""Which of the recorded images are on the host."""

from collections.abc import Sequence

from rollback.actions.containers.image import images
from rollback.site import Site
from rollback.way import Way
from target.record import Record, describe


def glance(site: Site, records: Sequence[Record]) -> Way | None:
    """The healthy records whose image is there; None where the service is not one of compose. Raises TargetError."""
    if site.target.service is None or site.target.service.compose is None:
        return None
    good = [record for record in records if record.state == "healthy" and record.image_digest]
    found = images(site, *(record.image_digest or "" for record in good)) if good else []
    there = [record for record, image in zip(good, found, strict=True) if image is not None]
    if not there:
        return Way("containers", "the image of no healthy record is on the host", usable=False)
    return Way(
        "containers",
        f"{len(there)} recorded images are here, the newest is of {describe(there[0])}",
        usable=True,
        records=tuple(record.name for record in there),
    )
