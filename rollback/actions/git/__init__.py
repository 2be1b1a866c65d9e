"""Level 2: go back to the last good commit of the checkout."""

from argparse import Namespace

from rollback.actions.git.action import GitAction
from rollback.actions.git.glance import glance
from rollback.site import Site
from target.record import Record

__all__ = ["build", "glance"]


def build(site: Site, options: Namespace, record: Record | None) -> GitAction:
    """The action for a host. Raises TargetError when the target has no `code`."""
    return GitAction(site, options.to, record, push=options.push)
