"""Level 3: pin the previous image in the compose file."""

from argparse import Namespace

from rollback.actions.containers.action import ContainersAction
from rollback.actions.containers.glance import glance
from rollback.site import Site
from target.record import Record

__all__ = ["build", "glance"]


def build(site: Site, options: Namespace, record: Record | None) -> ContainersAction:
    """The action for a host. Raises TargetError when the target's service is not one of compose."""
    return ContainersAction(site, options.to, record)
