"""Which providers are left out and which is first, from what they answer and what the person asked for."""

import msgspec

from rollback.actions.providers.probe import Answers
from rollback.errors import Refused
from target.provider_order import OPERATIONS, Order


class Decision(msgspec.Struct, frozen=True):
    """`out` are left out for both operations, `first` is first in turn for both; `after` is the order that results."""

    out: tuple[str, ...]
    first: str
    after: Order


def check_names(
    before: Order, described: tuple[str, ...], disable: tuple[str, ...], first: str | None
) -> None:
    """Refuse what was asked for where it cannot be: unknown names, or nothing left. `described` are in the target."""
    known = tuple(dict.fromkeys((*before.names, *described)))
    for name in (*disable, *((first,) if first else ())):
        if name not in known:
            raise Refused(f"no provider is called {name!r}: there is {', '.join(known)}; nothing was changed")
    if first in disable:
        raise Refused(f"{first} cannot be both disabled and raised; nothing was changed")
    for operation in OPERATIONS:
        if first is None and not set(before.of(operation)) - set(disable):
            raise Refused(
                f"none would be left for {operation.upper()}, and at least one has to stay enabled; nothing was changed"
            )


def decide(before: Order, answers: list[Answers], disable: tuple[str, ...], first: str | None) -> Decision:
    """Without `disable` those are left out that fail every time, without `first` the first that is stable is raised.

    Raises Refused when the one to be first does not answer right for both operations.
    """
    told = {each.name: each for each in answers}
    out = disable or tuple(each.name for each in answers if each.failing and each.name != first)
    if not out and first is None:
        return Decision((), before.names[0], before)
    stable = [name for name in before.names if name not in out and name in told and told[name].stable]
    chosen = first or next(iter(stable), None)
    if chosen is None or chosen not in told or not told[chosen].stable:
        why = "; ".join(each.says for each in answers if each.troubles) or "it is not described in the target"
        who = f"{first} does not answer" if first else "no provider that would be left answers"
        raise Refused(
            f"{who} right for both operations with these credentials, so nothing was changed: {why}"
        )
    return Decision(out, chosen, before.with_first(chosen, without=out))
