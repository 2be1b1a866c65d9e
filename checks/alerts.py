"""Alert rules and alerts of the target's Prometheus server."""

import msgspec

from target.errors import ApiError
from target.http import Http

WANTED = (
    "post_rollback_high_error_rate",
    "post_rollback_performance_degradation",
    "post_rollback_provider_switching",
)
"""The runbook's alerts after a rollback."""

_TIMEOUT_S = 10.0


class Rule(msgspec.Struct, frozen=True):
    """A rule as Prometheus has it loaded; `health` is `ok`, `err` or `unknown` (not evaluated yet)."""

    name: str
    type: str = ""
    state: str = ""
    health: str = "unknown"
    lastError: str = ""  # noqa: N815  (Prometheus' own name)


class _Group(msgspec.Struct, frozen=True):
    rules: list[Rule] = []


class _Groups(msgspec.Struct, frozen=True):
    groups: list[_Group] = []


class _Rules(msgspec.Struct, frozen=True):
    data: _Groups


async def rules(prometheus: str) -> list[Rule]:
    """Every alert rule that is loaded, with its state. Raises ApiError when that cannot be read."""
    server = Http(prometheus, timeout_s=_TIMEOUT_S)
    try:
        reply = await server.ask("GET", "/api/v1/rules", query={"type": "alert"})
    finally:
        await server.aclose()
    try:
        groups = msgspec.json.decode(reply.body, type=_Rules).data.groups
    except msgspec.DecodeError as error:
        raise ApiError(
            f"{prometheus}/api/v1/rules answers {reply.status}, not as Prometheus does: {error}"
        ) from error
    return [rule for group in groups for rule in group.rules]


def watching(rule: Rule) -> bool:
    """Whether a rule watches the rollback or the service: the runbook's own, and those with voice in their names."""
    return rule.name in WANTED or "voice" in rule.name.lower()
