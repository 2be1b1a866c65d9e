"""The pytest fixtures `rollback_<action>`: the actions for drills and for a team's own tests."""

import io
from argparse import Namespace
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from rollback.catalogue import OFFERS, Offer
from rollback.engine import Engine, Order
from rollback.errors import Refused
from rollback.progress import Progress
from rollback.result import Result
from rollback.site import site_of
from target import load
from target.description import Target
from target.redact import Redactor


class Rollback(Protocol):
    """Calling it rolls the target back on every host, as the command line does; one result a host.

    `options` are those of the action (`to=…`); `undo`, `resume` and `dry_run` those that all have. A production target
    has to be named by `confirm`. Raises Refused with nothing changed, and TargetError; a result that is not good is
    returned, not raised, and stops before the next host.
    """

    def __call__(
        self,
        *,
        undo: bool = False,
        resume: bool = False,
        dry_run: bool = False,
        confirm: str | None = None,
        **options: Any,
    ) -> list[Result]: ...


def _carry_out(
    offer: Offer, target: Target, order: Order, confirm: str | None, options: Namespace, seen: io.StringIO
) -> list[Result]:
    if target.production and confirm != target.name and not order.dry_run:
        raise Refused(
            f"{target.name} is production: name it with confirm={target.name!r}; nothing was changed"
        )
    redactor = Redactor(load.secrets(target))
    results: list[Result] = []
    for url in target.hosts[:1] if offer.shared else target.hosts:
        site = site_of(target, url, redactor)
        engine = Engine(offer.build(site, options), site, Progress(seen, redactor))
        results.append(engine.carry_out(order))
        if results[-1].exit_code:
            break
    return results


def _fixture(offer: Offer) -> Any:
    name = f"rollback_{offer.name}"

    @pytest.fixture(name=name)
    def fixture(target: Target, record_property: Callable[[str, object], None]) -> Rollback:
        def roll_back(
            *,
            undo: bool = False,
            resume: bool = False,
            dry_run: bool = False,
            confirm: str | None = None,
            **options: Any,
        ) -> list[Result]:
            unknown = options.keys() - offer.defaults().keys()
            if unknown:
                raise TypeError(f"{name} takes no {', '.join(sorted(unknown))}")
            seen = io.StringIO()
            order = Order(undo=undo, resume=resume, dry_run=dry_run)
            try:
                return _carry_out(
                    offer, target, order, confirm, Namespace(**{**offer.defaults(), **options}), seen
                )
            finally:
                record_property(name, seen.getvalue())

        return roll_back

    fixture.__doc__ = f"{offer.about}; what a person would see becomes a property of the test."
    return fixture


for _offer in OFFERS.values():
    globals()[f"rollback_{_offer.name}"] = _fixture(_offer)
