"""Level 1: leave the providers that fail out, and put a stable one first."""

from argparse import Namespace

from rollback.actions.providers.action import ProvidersAction
from rollback.site import Site
from target.record import Record


def build(site: Site, options: Namespace, record: Record | None) -> ProvidersAction:
    """The action for a host. Raises TargetError when the target does not say how the service is told its providers."""
    del record  # who is used now is a choice of the moment, and no record's
    return ProvidersAction(site, disable=tuple(options.disable), first=vars(options)["raise"])
