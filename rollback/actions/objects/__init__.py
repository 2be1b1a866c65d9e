"""Data recovery: copy missing and corrupt objects from the backup into the bucket."""

from argparse import Namespace

from rollback.actions.objects.action import ObjectsAction
from rollback.site import Site
from target.record import Record


def build(site: Site, options: Namespace, record: Record | None) -> ObjectsAction:
    """The action for a host. Raises TargetError when the target has no `objects` or no backup of them."""
    return ObjectsAction(site, options.to, record)
