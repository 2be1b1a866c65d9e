"""What `/health` says of the components behind the service."""

from collections.abc import Iterable

from target.api import Health

_ILL = {"unhealthy", "down", "failed", "failing", "error", "critical", "unavailable"}
_WELL = {"healthy", "ok", "up", "pass", "passing", "operational", "available"}


def unwell(health: Health) -> list[str]:
    """A line for each component that is not well; providers are judged by asking them, not by what is said here."""
    problems = []
    components = health.more.get("components", {})
    for name, component in (components if isinstance(components, dict) else {}).items():
        status = component.get("status") if isinstance(component, dict) else component
        if isinstance(status, str) and status.lower() not in _WELL:
            error = component.get("error") if isinstance(component, dict) else None
            problems.append(f"{name} is {status}{f': {error}' if error else ''}")
    troubled = any(
        provider.status is not None and provider.status.lower() not in _WELL
        for provider in health.providers.values()
    )
    if health.system_status.lower() not in _WELL and not problems and not troubled:
        problems.append(f"the system says that it is {health.system_status}")
    return problems


def ill(health: Health, names: Iterable[str], *, serves: bool) -> dict[str, str]:
    """What `/health` says of those of these providers that fail the service: the service's own view, not ours.

    Where the service serves nothing, one that is only degraded is told as well: it has failed every time so far.
    """
    return {
        name: f'/health says "{told.status}"{f": {told.last_error}" if told.last_error else ""}'
        for name in names
        if (told := health.providers.get(name)) is not None
        and told.status is not None
        and (told.status.lower() in _ILL or (not serves and told.status.lower() not in _WELL))
    }
