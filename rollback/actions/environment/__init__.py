"""Level 1: put the previous environment file back in place."""

from argparse import Namespace

from rollback.actions.environment.action import EnvironmentAction
from rollback.actions.environment.glance import glance
from rollback.site import Site
from target.record import Record

__all__ = ["build", "glance"]


def build(site: Site, options: Namespace, record: Record | None) -> EnvironmentAction:
    """The action for a host. Raises TargetError when the target has no `environment`."""
    return EnvironmentAction(site, options.to, record)
