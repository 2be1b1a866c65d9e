"""Which of the recorded releases the checkout could go to, as far as its own objects tell."""

from collections.abc import Sequence

from rollback.actions.git.checkout import Checkout
from rollback.site import Site
from rollback.way import Way
from target.record import Record, describe


def glance(site: Site, records: Sequence[Record]) -> Way | None:
    """The commits of healthy records that are in the checkout; None where the target names none, or it is not git's.

    Raises TargetError.
    """
    if site.target.code is None:
        return None
    good = [record for record in records if record.revision and record.state == "healthy"]
    found = Checkout(site, site.target.code).commits([record.revision or "" for record in good])
    if found is None:
        return None
    head, here = found
    there = [record for record, commit in zip(good, here, strict=True) if commit]
    if not there:
        return Way("git", f"no commit of a healthy record is in {site.target.code.checkout}", usable=False)
    newest = describe(there[0])
    same = here[good.index(there[0])] == head
    return Way(
        "git",
        f"{newest}{', where the checkout is' if same else ''} · {len(there)} of {len(good)} recorded commits are here",
        usable=True,
        records=tuple(record.name for record in there),
    )
