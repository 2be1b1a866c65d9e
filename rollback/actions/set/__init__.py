"""Several actions rolled back as one: code, packages, environment, image, to one record."""

from argparse import Namespace

from rollback.actions.set.action import SetAction
from rollback.site import Site
from target.record import Record


def build(site: Site, options: Namespace, record: Record | None) -> SetAction:
    """The action for a host. Raises TargetError when a part that was named is not offered."""
    return SetAction(site, tuple(options.parts), options.to, record)
