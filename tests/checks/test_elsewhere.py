"""The criteria that no stack of the drills has, shown red where they can be: several hosts, and alert rules."""

from types import SimpleNamespace
from typing import Any

import pytest

from checks.alerts import WANTED, Rule
from checks.criterion import criteria
from checks.observation import Decide, Observation
from checks.test_deployment import test_hosts as check_hosts
from checks.test_monitoring import test_alerts as check_alerts
from tests.checks.deployment import Deployment


async def decided(check: Any, **given: Any) -> dict[str, Observation]:
    """What a check decides of what it is given."""
    declared = next(mark.args for mark in check.pytestmark if mark.name == "decides")
    decide = Decide(declared, criteria({}, where="test"))
    await check(decide=decide, **given)
    assert decide.undecided() == ()
    return {observation.criterion: observation for observation in decide.observations}


class Facts:
    """What one host tells."""

    def __init__(self, url: str, **told: Any) -> None:
        self.host = SimpleNamespace(url=url)
        self.told: dict[str, Any] = {
            "code": SimpleNamespace(tree_sha256="aa"),
            "packages": ("3.11.2", {"httpx": "0.28.1"}),
            "image": "sha256:aa",
            "variables": {"S3_BUCKET": "voice"},
            **told,
        }

    def __getattr__(self, name: str) -> Any:
        async def tell() -> Any:
            return self.told[name]

        return tell


async def hosts_with(**other: Any) -> Observation:
    deployment = Deployment()
    target = SimpleNamespace(
        hosts=("ssh://one", "ssh://two"),
        **{
            name: getattr(deployment.target, name)
            for name in ("code", "virtualenv", "service", "environment")
        },
    )

    async def quiet() -> None:
        return None

    survey = SimpleNamespace(on_hosts=[Facts("ssh://one"), Facts("ssh://two", **other)], quiet=quiet)
    found = await decided(check_hosts, survey=survey, target=target, request=None)
    return found["hosts_agree"]


async def test_hosts_that_are_alike() -> None:
    assert (await hosts_with()).outcome == "pass"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"code": SimpleNamespace(tree_sha256="bb")}, "ssh://two has other code than ssh://one"),
        ({"packages": ("3.11.2", {"httpx": "0.27.0"})}, "ssh://two has other packages than ssh://one"),
        ({"image": "sha256:bb"}, "ssh://two runs another image than ssh://one"),
        ({"variables": {"S3_BUCKET": "new"}}, "ssh://two has another environment than ssh://one"),
    ],
)
async def test_hosts_that_differ(other: dict[str, Any], told: str) -> None:
    found = await hosts_with(**other)
    assert (found.outcome, found.evidence) == ("fail", told)


async def alerts_of(monkeypatch: pytest.MonkeyPatch, rules: list[Rule]) -> dict[str, Observation]:
    async def loaded(_: str) -> list[Rule]:
        return rules

    monkeypatch.setattr("checks.alerts.rules", loaded)
    target = SimpleNamespace(monitoring=SimpleNamespace(prometheus="http://prometheus.internal:9090"))
    return await decided(check_alerts, target=target)


ALL = [Rule(name, "alerting", "inactive", "ok") for name in WANTED]


async def test_alert_rules_that_are_loaded_and_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await alerts_of(monkeypatch, ALL)
    assert {name: seen.outcome for name, seen in found.items()} == {
        "alert_rules_loaded": "pass",
        "no_alert_firing": "pass",
    }


async def test_alert_rules_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (await alerts_of(monkeypatch, ALL[1:]))["alert_rules_loaded"]
    assert (found.outcome, found.evidence) == ("fail", f"{WANTED[0]} is not loaded")


async def test_an_alert_rule_that_cannot_be_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Rule("voice_latency", "alerting", "inactive", "err", "no such series")
    found = (await alerts_of(monkeypatch, [*ALL, broken]))["alert_rules_loaded"]
    assert (found.outcome, "no such series" in found.evidence) == ("fail", True)


async def test_an_alert_that_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    firing = Rule(WANTED[0], "alerting", "firing", "ok")
    found = (await alerts_of(monkeypatch, [firing, *ALL[1:]]))["no_alert_firing"]
    assert (found.outcome, found.evidence) == ("fail", f"{WANTED[0]} is firing")


async def test_an_alert_of_something_else_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await alerts_of(monkeypatch, [*ALL, Rule("disk_full", "alerting", "firing", "ok")])
    assert found["no_alert_firing"].outcome == "pass"
