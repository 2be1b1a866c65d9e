"""Data recovery: bring back what the usage log has lost, from a dump."""

from argparse import Namespace

from rollback.actions.database.action import DatabaseAction
from rollback.site import Site
from target.record import Record


def build(site: Site, options: Namespace, record: Record | None) -> DatabaseAction:
    """The action for a host. Raises TargetError when the target does not say how to restore its database."""
    return DatabaseAction(site, options.to, record)
