"""What a rollback may leave different, by action; whatever else is different is collateral damage."""

import re
from collections.abc import Sequence

from drills.inventory import Broken, Change, Inventory, file_changes, store_changes
from drills.stacks import service
from drills.stacks.storage import BACKUP_BUCKET, BUCKET
from drills.traffic.ledger import Call
from drills.traffic.traffic import MARK as TRAFFIC

_SUITE = "rollback-suite"  # the default of the target's `api.mark`
_PROBE = "drill-probe"
CLIENTS = frozenset({TRAFFIC, _SUITE, _PROBE})
_ASIDE = r"\.(failed|undone)\.[^/]+(/.*)?"
# The rollback's own: journals, the lock, the choice of providers; and what the checks and triage write nothing of.
_STATE = r"(compose/[^/]+/)?state(/.*)?"
_PACKAGE = r"service/app/services/voice_v2"
_ENVIRONMENT = (r"service/\.env", rf"service/\.env{_ASIDE}")
_VIRTUALENV = (r"venv(/.*)?", rf"venv{_ASIDE}")
# The branch and the kept work; the files of the checkout, but for the environment.
_CHECKOUT = (r"service/\.git(/.*)?", r"service/(?!\.env)(?!\.git(/|$)).*", r"service")
# Patterns of paths in the stack's folder that an action may change, by what the README's table says of it.
_FILES: dict[str, tuple[str, ...]] = {
    "environment": _ENVIRONMENT,
    "providers": _ENVIRONMENT,
    "git": _CHECKOUT,
    "files": (
        rf"{_PACKAGE}(/.*)?",
        rf"{_PACKAGE}{_ASIDE}",
        r"service/requirements\.txt",
        rf"service/requirements\.txt{_ASIDE}",
        *_VIRTUALENV,
    ),
    "virtualenv": _VIRTUALENV,
    "objects": (),
    "database": (),
    "containers": (r"compose/[^/]+/docker-compose\.yml", rf"compose/[^/]+/docker-compose\.yml{_ASIDE}"),
    "set": (*_ENVIRONMENT, *_CHECKOUT, *_VIRTUALENV),
}


# What an action keeps in the stores on purpose, so that it can be undone: new things of these names.
_KEPT = {
    "database": r"schema (index )?voice_rollback\..*",
    "objects": rf"object {BACKUP_BUCKET}/\.failed/.*",
}


# The storage's clock tells whole seconds, and the service goes on with a call that nobody waits for any more.
_CLOCK_S, _GOES_ON_S = 1.0, 5.0


def collateral(
    action: str,
    broken: Broken,
    before: Inventory,
    after: Inventory,
    calls: Sequence[Call],
) -> list[Change]:
    """What the rollback changed beside what it is for.

    Files and processes are compared with how the fault left them (`broken`), all else with what was there `before`
    the fault: no action may leave a row, an object or a table other than it was, nor restart what is not the service.
    A table that is new with the fault is the fault's own.
    """
    may = re.compile("|".join((_STATE, *_FILES[action])))
    files = file_changes(broken.on_host.files, after.on_host.files)
    restarted = [
        Change("process", name, "restarted")
        for name, part in after.on_host.parts.items()
        if name != service.NAME and part.pid != broken.on_host.parts[name].pid
    ]
    others = [change for change in files if not may.fullmatch(change.name)]
    stores = _without_kept(store_changes(before, after, CLIENTS), _KEPT.get(action, ""))
    new = {name for name, definition in broken.schema.items() if after.schema.get(name) == definition}
    return (
        others
        + restarted
        + [
            change
            for change in stores
            if not cut_short(change, after, calls)
            and not (change.kind == "schema" and change.how == "new" and change.name in new)
        ]
    )


def cut_short(change: Change, after: Inventory, calls: Sequence[Call]) -> bool:
    """Whether it is the object of a call that was not acknowledged: the service was stopped before it wrote the row."""
    if change.kind != "object" or change.how != "new" or not change.name.startswith(f"{BUCKET}/"):
        return False
    written = after.objects[change.name].written
    return any(
        not call.acknowledged and call.started - _CLOCK_S <= written <= call.ended + _GOES_ON_S
        for call in calls
    )


def left_over(before: Inventory, healed: Inventory, calls: Sequence[Call]) -> list[Change]:
    """What is not as it was before the drill: contents and modes of files, but for what was set aside, and the stores.

    A file that was put back has another time.
    """
    spared = re.compile(rf"{_STATE}|.*{_ASIDE}|service/\.git(/.*)?|backups(/.*)?")
    files = [
        change
        for change in file_changes(before.on_host.files, healed.on_host.files)
        if change.how != "time" and not spared.fullmatch(change.name)
    ]
    stores = _without_kept(store_changes(before, healed, CLIENTS), "|".join(_KEPT.values()))
    return files + [change for change in stores if not cut_short(change, healed, calls)]


def _without_kept(changes: list[Change], kept: str) -> list[Change]:
    pattern = re.compile(kept)
    return [
        change
        for change in changes
        if change.how != "new" or not pattern.fullmatch(f"{change.kind} {change.name}")
    ]
