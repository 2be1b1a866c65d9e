"""Whether what answers at `api.url` is the process that the service control on the host shows."""

from rollback import clock
from rollback.errors import Refused
from rollback.site import Site
from target.api import Health
from target.errors import HostError

# Both times are by the host's clock, which may have been set a little since the process started.
_CLOCK_S = 60.0


def answers_since(site: Site, health: Health) -> float | None:
    """When what answers says that it was started, seconds since the epoch; None where that proves nothing.

    Behind one address there may be several hosts, and a `python` worker is a process of this suite.
    """
    if len(site.target.hosts) != 1 or site.target.api.flavour == "python" or health.started_at is None:
        return None
    try:
        return clock.of_iso(health.started_at)
    except ValueError:
        return None


def refuse_another(site: Site, health: Health) -> None:
    """Raises Refused when what answers was there before the process that the service control shows.

    A later start proves nothing here, since a service may start workers; after the restart it has to be later.
    """
    since = answers_since(site, health)
    if since is None or site.controller is None:
        return
    try:
        status = site.controller.status()
    except HostError:
        return  # told by whoever needs the service control
    where = f"{site.controller.name} on {site.host.url}"
    answering = f"what answers at {site.target.api.url} was started {clock.moment(since)}"
    then = "is that the service of this host? Correct api.url or hosts in the target; nothing was changed"
    if status.state in ("stopped", "failed") and since < site.host.now() - _CLOCK_S:
        raise Refused(f"{answering}, and {where} is {status.state}: {then}")
    if status.started_at is not None and since < status.started_at - _CLOCK_S:
        raise Refused(f"{answering}, and {where} {clock.moment(status.started_at)}: {then}")


def is_older(site: Site, health: Health, switched: float) -> str:
    """Why what answers cannot be what was started after the switch; empty where it can."""
    since = answers_since(site, health)
    if since is None or since > switched - _CLOCK_S:
        return ""
    return (
        f"what answers at {site.target.api.url} was started {clock.moment(since)}, before the switch at "
        f"{clock.moment(switched)}: it is not the process that was restarted; is it the service of this host?"
    )
