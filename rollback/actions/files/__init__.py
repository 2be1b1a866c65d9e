"""Level 2: restore code and requirements from the dated backup."""

from argparse import Namespace

from rollback.actions.files.action import FilesAction
from rollback.actions.files.glance import glance
from rollback.site import Site
from target.record import Record

__all__ = ["build", "glance"]


def build(site: Site, options: Namespace, record: Record | None) -> FilesAction:
    """The action for a host. Raises TargetError when the target has no `code.backups` and none is named."""
    return FilesAction(site, options.to, record)
