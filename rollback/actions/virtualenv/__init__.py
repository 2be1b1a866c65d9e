"""Level 3: put the backup of the virtualenv in place."""

from argparse import Namespace

from rollback.actions.virtualenv.action import VirtualenvAction
from rollback.actions.virtualenv.glance import glance
from rollback.site import Site
from target.record import Record

__all__ = ["build", "glance"]


def build(site: Site, options: Namespace, record: Record | None) -> VirtualenvAction:
    """The action for a host. Raises TargetError when the target has no `virtualenv.backup`."""
    return VirtualenvAction(site, options.to, record)
