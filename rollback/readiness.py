"""Whether the service is ready: its process runs, is the new one, and says that it works."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rollback import clock
from rollback.answering import refuse_another
from rollback.site import Site
from target.api import Health, health_of, open_api
from target.errors import ApiError, HostError, WrongAddress
from target.service import ServiceStatus
from target.wait import Seen

WORKS = ("healthy", "degraded")
_PROBE_S = 3.0
T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Carry out async work to its end, also where the caller is itself inside a running event loop."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def ask_health(site: Site, timeout_s: float = _PROBE_S) -> Health:
    """What `/health` says now. Raises ApiError when it says nothing that can be understood, or not in time."""

    async def ask() -> Health:
        api = open_api(site.target, site.host)
        try:
            async with asyncio.timeout(timeout_s):
                return health_of(await api.health())
        except TimeoutError:
            raise ApiError(f"/health did not answer within {timeout_s:g} s") from None
        finally:
            await api.aclose()

    return finish(ask())


def ready(
    site: Site, timeout_s: float = _PROBE_S, *, at_first: bool = False
) -> tuple[bool, str, Health | None]:
    """Whether `/health` says that the service works, what was seen, and the answer.

    `at_first`: raises WrongAddress when what answers at `api.url` is not the service, and Refused when it is that of
    another host: nothing could be proven there.
    """
    try:
        health = ask_health(site, timeout_s)
    except ApiError as error:
        if at_first and isinstance(error, WrongAddress):
            raise
        return False, str(error), None
    if at_first:
        refuse_another(site, health)
    return health.system_status in WORKS, f"/health says {health.system_status!r}", health


def look_for_ready(
    site: Site, old: int | None, stop: Callable[[], bool], *, any_answer: bool = False
) -> Callable[[], Seen]:
    """A look for `eventually`: the service works, by another main process than the `old` one.

    Ends early when the service control calls the service failed, when the person wants to stop, and with `any_answer`
    when /health answers at all: a service that did not work before need not be waited for.
    """

    def look() -> Seen:
        if stop():
            return Seen(met=False, seen="interrupted", final=True)
        try:
            status = site.service.status()
        except HostError as error:
            return Seen(met=False, seen=str(error))
        if status.state == "failed":
            return Seen(met=False, seen=f"{site.service.name} has failed: {status.detail}", final=True)
        if status.state != "running":
            return Seen(met=False, seen=f"{site.service.name} is {status.state}: {status.detail}")
        if status.pid is not None and status.pid == old:
            return Seen(met=False, seen="the process of before still runs")
        works, seen, health = ready(site)
        return Seen(met=works, seen=seen, final=any_answer and health is not None)

    return look


def started_after(status: ServiceStatus, moment: float) -> bool:
    """Whether the main process runs and is younger than that (both by the host's clock)."""
    return status.state == "running" and status.started_at is not None and status.started_at > moment


def started(status: ServiceStatus) -> str:
    """`process 1234 started 14:02:13`."""
    if status.state != "running" or status.started_at is None:
        return f"{status.state} ({status.detail})" if status.detail else status.state
    return f"process {status.pid} started {clock.second(status.started_at)}"
