"""The pytest fixture `rollback_environment`: the action for drills and for a team's own tests."""

import io
from collections.abc import Callable
from typing import Protocol

import pytest

from rollback.engine import Engine, Order
from rollback.environment import EnvironmentAction
from rollback.errors import Refused
from rollback.progress import Progress
from rollback.result import Result
from rollback.site import site_of
from target import load
from target.description import Target
from target.redact import Redactor


class RollbackEnvironment(Protocol):
    """Calling it rolls the environment of the target back on every host, as the command line does; one result a host.

    `to` names a file instead of the target's previous one; `undo`, `resume` and `dry_run` are the options of that
    name. A production target has to be named by `confirm`. Raises Refused with nothing changed, and TargetError; a
    result that is not good is returned, not raised, and stops before the next host.
    """

    def __call__(
        self,
        *,
        to: str | None = None,
        undo: bool = False,
        resume: bool = False,
        dry_run: bool = False,
        confirm: str | None = None,
    ) -> list[Result]: ...


@pytest.fixture
def rollback_environment(
    target: Target, record_property: Callable[[str, object], None]
) -> RollbackEnvironment:
    """Roll back the environment of the fixture `target`; what a person would see becomes a property of the test."""

    def carry_out(
        *,
        to: str | None = None,
        undo: bool = False,
        resume: bool = False,
        dry_run: bool = False,
        confirm: str | None = None,
    ) -> list[Result]:
        if target.production and confirm != target.name and not dry_run:
            raise Refused(
                f"{target.name} is production: name it with confirm={target.name!r}; nothing was changed"
            )
        redactor = Redactor(load.secrets(target))
        seen = io.StringIO()
        results: list[Result] = []
        try:
            for url in target.hosts:
                site = site_of(target, url, redactor)
                engine = Engine(EnvironmentAction(site, to), site, Progress(seen, redactor))
                results.append(engine.carry_out(Order(undo=undo, resume=resume, dry_run=dry_run)))
                if results[-1].exit_code:
                    break
        finally:
            record_property("rollback_environment", seen.getvalue())
        return results

    return carry_out
