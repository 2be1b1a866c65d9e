"""The real checks, run against the deployment in memory."""

import inspect
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import checks.survey
import checks.survey_data
import checks.survey_host
import checks.survey_provider
from checks import (
    test_data,
    test_deployment,
    test_functional,
    test_health,
    test_monitoring,
    test_performance,
    test_provider,
    test_security,
)
from checks.criterion import Criterion, criteria
from checks.observation import Decide, Observation
from checks.run import DeadService, reached
from checks.survey import Survey
from target.environment import Reading
from target.errors import HostError, TargetError
from target.record import CodeRecord, EnvironmentRecord, Record
from tests.checks.deployment import Deployment, hashes, tree
from tests.checks.fakes import FakeHost, FakeLog, FakeProvider, FakeService, FakeStore, FakeVoice

MODULES = (
    test_health,
    test_deployment,
    test_provider,
    test_functional,
    test_performance,
    test_data,
    test_monitoring,
    test_security,
)


class NotApplicableError(Exception):
    """A check that skipped itself."""


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A good deployment, behind everything that the survey opens."""
    d = Deployment()
    monkeypatch.setattr(checks.survey_data, "UsageLog", lambda database: FakeLog(d))
    monkeypatch.setattr(checks.survey_data, "ObjectStore", lambda objects: FakeStore(d))
    monkeypatch.setattr(
        checks.survey_provider, "ProviderClient", lambda p, variables: FakeProvider(d, p, variables)
    )
    monkeypatch.setattr(checks.survey_host, "service_of", lambda target, host: FakeService(d))
    monkeypatch.setattr(
        checks.survey_host,
        "read",
        lambda content, reader: Reading(
            dict(d.previous if content == b"previous" else d.environment), d.environment_faults, ()
        ),
    )
    capture = SimpleNamespace(
        environment=lambda target, host, records: EnvironmentRecord(
            "with faults" if d.environment_faults else "file", hashes(d.environment)
        ),
        packages=lambda target, host: packages_of(d),
        code=lambda target, host: CodeRecord(tree(d.code), dict(d.code), None),
    )
    monkeypatch.setattr(checks.survey_host, "capture", capture)
    records = SimpleNamespace(all=lambda: [d.record, d.older])
    monkeypatch.setattr("checks.survey.Records", lambda host, state_dir: records)
    monkeypatch.setattr("checks.survey_provider.as_opus", lambda audio: audio)
    monkeypatch.setattr("checks.survey.DEADLINE_S", 0.3)
    monkeypatch.setattr(checks.survey_data, "_WRITTEN_WITHIN_S", 0.3)
    random.seed(1)
    return d


def packages_of(d: Deployment) -> tuple[str, dict[str, str]]:
    """What the virtualenv says; without its Python it says nothing."""
    if not d.python:
        raise HostError("/srv/venv/bin/python cannot list its packages: No such file; is it whole?")
    return d.python, dict(d.packages)


def survey_of(deployment: Deployment, *kinds: str, limits: dict[str, Criterion] | None = None) -> Survey:
    """A survey of the deployment for these kinds (all, when none is named)."""
    limits = limits or criteria(deployment.target.criteria, where="test")
    every = {criterion.kind for criterion in limits.values()}
    hosts: Any = [FakeHost(deployment)]
    return Survey(deployment.target, FakeVoice(deployment), hosts, limits, kinds or every)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run every real check of the named kinds: criterion → observation. What does not apply is not there."""

    def skip(item: Any, why: str) -> None:
        raise NotApplicableError(why)

    for module in MODULES:
        if hasattr(module, "not_applicable"):
            monkeypatch.setattr(module, "not_applicable", skip)

    async def run(deployment: Deployment, *kinds: str) -> dict[str, Observation]:
        survey = survey_of(deployment, *kinds)
        try:
            return await _decide_all(survey, deployment, kinds)
        finally:
            await survey.close()

    return run


async def _decide_all(
    survey: Survey, deployment: Deployment, kinds: tuple[str, ...]
) -> dict[str, Observation]:
    found: dict[str, Observation] = {}
    limits = criteria(deployment.target.criteria, where="test")
    for module in MODULES:
        kind = module.__name__.rsplit("_", 1)[-1]
        if kinds and kind not in kinds:
            continue
        for name, check in inspect.getmembers(module, inspect.iscoroutinefunction):
            if name.startswith("test_"):
                for observation in await _decide(check, survey, deployment, limits):
                    found[observation.criterion] = observation
    return found


async def _decide(check: Any, survey: Survey, deployment: Deployment, limits: Any) -> list[Observation]:
    marks = {mark.name: mark.args for mark in check.pytestmark}
    for key in marks.get("needs", ()):
        owner = deployment.record if key.startswith("record.") else deployment.target
        if not reached(owner, key.removeprefix("record.")):
            return []
    decide = Decide(marks["decides"], limits)

    async def recorded() -> Record:
        return deployment.record

    offered = {
        "survey": survey,
        "decide": decide,
        "target": deployment.target,
        "record": deployment.record,
        "request": SimpleNamespace(node=None),
        "surroundings": SimpleNamespace(record=recorded),
    }
    try:
        await check(**{name: offered[name] for name in inspect.signature(check).parameters})
    except NotApplicableError:
        return []
    except (TargetError, DeadService) as error:
        for criterion in decide.undecided():
            decide.unknown(criterion, evidence=str(error), next="")
    assert decide.undecided() == ()
    return decide.observations


@pytest.fixture
def survey_for() -> Callable[..., Survey]:
    """Make a survey of a deployment."""
    return survey_of
