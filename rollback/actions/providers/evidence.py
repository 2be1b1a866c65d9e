"""What the service then really uses: as `/health` tells it, and by who answers a synthesis."""

import asyncio

from rollback.actions.providers.probe import PHRASES
from rollback.errors import StepFailed
from rollback.readiness import finish
from rollback.site import Site
from target.api import Answer, open_api
from target.choice import Choice
from target.errors import ApiError
from target.provider_order import order_told_by
from target.wait import Seen, eventually

_GATEWAY = (502, 503, 504)  # what one answers whose upstream does not
_REACHED_S = 20.0


def evidence(site: Site, choice: Choice, file: str) -> str:
    """Raises StepFailed when the service uses other providers than those chosen, or another one answers."""
    health, spoken = _asked(site)
    told = order_told_by(health)
    if told is not None and told != choice.order:
        raise StepFailed(
            f"the service uses {told}, and {file} says {choice.order}: is its own environment above that file, or does "
            "it read another?"
        )
    says = f"uses {told}" if told is not None else "does not tell which providers it uses"
    if spoken is None:
        return says
    if not spoken.ok:
        raise StepFailed(f"a synthesis is answered with {spoken.status}: {spoken.text(200)}")
    if spoken.provider != choice.raised:
        raise StepFailed(
            f"{spoken.provider or 'nobody'} answered a synthesis, and {choice.raised} was to be first in turn"
        )
    return f"{says}, {spoken.provider} answered a synthesis"


def _asked(site: Site) -> tuple[Answer, Answer | None]:
    """`_ask`, again for a while where a synthesis gets no further than a gateway that says that all is well."""
    answers: list[tuple[Answer, Answer | None]] = []

    def look() -> Seen:
        answers.append(finish(_ask(site)))
        spoken = answers[-1][1]
        return Seen(spoken is None or spoken.status not in _GATEWAY, "")

    ready_s = site.target.service.ready_s if site.target.service else 0.0
    eventually(look, deadline_s=min(ready_s, _REACHED_S))
    return answers[-1]


async def _ask(site: Site) -> tuple[Answer, Answer | None]:
    api = open_api(site.target, site.host)
    try:
        async with asyncio.timeout(2 * site.target.api.timeout_s):
            health = await api.health()
            if site.target.api.headers.provider is None:
                return health, None
            text, language = PHRASES[0]
            return health, await api.speak(text, language)
    except (ApiError, TimeoutError) as error:
        raise StepFailed(f"the service was ready, and now: {error or 'no answer in time'}") from error
    finally:
        await api.aclose()
