"""Triage: which emergency scenario of the runbook holds, by what evidence, and the lowest level that cures it."""

import asyncio
import textwrap
from typing import Literal

import msgspec

from checks import advice, standing
from checks.criterion import Criterion, criteria, triggers
from checks.run import DeadService
from checks.screen import Screen
from checks.survey import Survey
from checks.triggers import Scene, Sign, sign_of
from target.api import open_api
from target.description import Budget, Target
from target.errors import HostError, TargetError, WrongTarget
from target.host import Host
from target.record import Record, Records

FORMAT = 1
HOLDS, NONE, UNKNOWN = 1, 0, 6
_WIDTH = 96
SCENARIOS = {
    "critical": (1, "Critical Production Issues"),
    "degradation": (2, "Performance Degradation"),
    "configuration": (3, "Configuration Issues"),
}
_REQUESTS, _SECONDS, _AT_ONCE = 400, 40.0, 4
_KINDS = ("health", "deployment", "provider", "performance", "data", "security")
# Causes that no configuration explains: they make it scenario 1, whatever else holds.
_GRAVE = {"data_loss", "security_vulnerability"}
# Enough to tell 5 % errors from fewer; the checks need more, since their limits are tighter.
_ENOUGH = {"tts_success_rate": 0.95, "stt_success_rate": 0.90}


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger: `scenario` 1 to 3, `holds` null where it could not be told; `applies` as in `Sign`."""

    name: str
    scenario: int
    limit: str
    holds: bool | None
    applies: bool
    evidence: str


class Cure(msgspec.Struct, frozen=True):
    """The lowest level that cures it (0: recover data), and what to type or read."""

    level: Literal[0, 1, 2, 3]
    says: str
    command: str


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """The finding; `scenario` and `cure` are null where no trigger holds."""

    schema: int = FORMAT
    target: str
    record: str | None
    scenario: int | None
    title: str
    triggers: list[Trigger]
    cure: Cure | None
    exit_code: int
    requests: int


async def triage(target: Target, record: str | None) -> Triage:
    """Survey the target with a small budget and judge every trigger. Raises TargetError for a target out of reach."""
    hosts = [Host(url) for url in target.hosts]
    try:
        await asyncio.gather(*(asyncio.to_thread(host.identity) for host in hosts))
    except HostError as error:
        raise WrongTarget(str(error)) from error
    small = msgspec.structs.replace(target, budget=small_budget(target))
    api = open_api(small, hosts[0])
    survey = Survey(small, api, hosts, limits(target), _KINDS)
    try:
        await survey.ready()
        found = await asyncio.to_thread(_record, target, hosts[0], record)
        return await judge(Scene(survey, found))
    finally:
        await survey.close()
        await api.aclose()


async def judge(scene: Scene) -> Triage:
    """Judge every trigger on a survey, name the scenario and its cure."""
    known = triggers()
    signs = await asyncio.gather(*(sign_of(name, scene, trigger.limit) for name, trigger in known.items()))
    told = [_told(trigger, sign) for trigger, sign in zip(known.values(), signs, strict=True)]
    scenario = named([trigger for trigger in told if trigger.holds])
    return Triage(
        target=scene.survey.target.name,
        record=scene.record.name if scene.record else None,
        scenario=scenario,
        title=next((title for number, title in SCENARIOS.values() if number == scenario), "no trigger holds"),
        triggers=told,
        cure=await cure(scene, {trigger.name for trigger in told if trigger.holds}) if scenario else None,
        exit_code=exit_code(told),
        requests=scene.survey.requests,
    )


def named(holding: list[Trigger]) -> int | None:
    """The scenario: a configuration that explains the failures beats them, unless data or security are at stake."""
    if not holding:
        return None
    scenarios = {trigger.scenario for trigger in holding}
    if 3 in scenarios and not any(trigger.name in _GRAVE for trigger in holding):
        return 3
    return min(scenarios)


def exit_code(told: list[Trigger]) -> int:
    """1 when a trigger holds, 6 when one could not be told, else 0."""
    if any(trigger.holds for trigger in told):
        return HOLDS
    return UNKNOWN if any(trigger.holds is None and trigger.applies for trigger in told) else NONE


async def cure(scene: Scene, holding: set[str]) -> Cure:
    """The lowest level that cures what holds, by what differs from the record."""
    target, seen = scene.survey.target, await stands(scene)
    provider = {"provider_authentication_failed", "provider_connectivity_lost", "response_time_increase"}
    ways: list[tuple[bool, Cure]] = [
        (
            bool(seen.environment),
            Cure(1, seen.environment[0] if seen.environment else "", advice.environment(target)),
        ),
        (
            bool(seen.stale),
            Cure(1, "the process is older than its environment", scene.survey.host.command("restart")),
        ),
        (bool(seen.code), Cure(2, seen.code[0] if seen.code else "", advice.RUNBOOK_FILES)),
        (bool(seen.image), Cure(3, seen.image[0] if seen.image else "", advice.RUNBOOK_CONTAINERS)),
        (bool(seen.packages), Cure(3, seen.packages[0] if seen.packages else "", advice.virtualenv(target))),
        (
            await _stopped(scene),
            Cure(
                1,
                "nothing differs from the record, the service does not run",
                scene.survey.host.command("start"),
            ),
        ),
        (
            await _silent(scene),
            Cure(
                1,
                "nothing differs from the record, yet nothing answers",
                f"compare api.url ({target.api.url}) with where the service listens; "
                f"then {scene.survey.host.command('restart')}",
            ),
        ),
        (bool(holding & provider), Cure(1, "the environment is as recorded", advice.RUNBOOK_PROVIDERS)),
        ("data_loss" in holding, Cure(0, "code and environment are as recorded", _data_recovery(target))),
    ]
    return next(
        (way for applies, way in ways if applies),
        Cure(2, "nothing that runs differs from the record", advice.RUNBOOK_GIT),
    )


async def _stopped(scene: Scene) -> bool:
    if scene.survey.target.service is None:
        return False
    try:
        status = await scene.survey.host.status()
    except TargetError:
        return False
    return status is not None and status.state in ("stopped", "failed")


async def _silent(scene: Scene) -> bool:
    return (await scene.survey.ready()).health is None


async def stands(scene: Scene) -> standing.Standing:
    """What differs from the record; what cannot be told now is taken as no difference."""
    survey, record = scene.survey, scene.record
    lines = await asyncio.gather(
        standing.environment(survey, record),
        standing.stale(survey),
        standing.code(survey, record),
        standing.image(survey, record),
        standing.packages(survey, record),
        return_exceptions=True,
    )
    for each in lines:
        if isinstance(each, BaseException) and not isinstance(each, TargetError | DeadService):
            raise each
    environment, stale, code, image, packages = (
        [] if isinstance(each, BaseException) else each for each in lines
    )
    return standing.Standing(environment=environment, stale=stale, code=code, image=image, packages=packages)


def small_budget(target: Target) -> Budget:
    """The target's budget, cut down to what triage needs; four at once, as the baseline of a record was taken."""
    budget = target.budget
    return msgspec.structs.replace(
        budget,
        requests=min(budget.requests, _REQUESTS),
        seconds=min(budget.seconds, _SECONDS),
        concurrency=min(budget.concurrency, _AT_ONCE),
    )


def limits(target: Target) -> dict[str, Criterion]:
    """The criteria that steer the sampling, as wide as the triggers are."""
    found = criteria(target.criteria, where=target.source)
    for name, limit in _ENOUGH.items():
        found[name] = msgspec.structs.replace(found[name], limit=limit)
    found["error_rate"] = msgspec.structs.replace(found["error_rate"], limit=1 - _ENOUGH["tts_success_rate"])
    return found


def _record(target: Target, host: Host, name: str | None) -> Record | None:
    records = Records(host, target.state_dir)
    wanted = name or target.record
    return records.get(wanted) if wanted else records.expected()


def _data_recovery(target: Target) -> str:
    return advice.RUNBOOK_OBJECTS if target.objects is not None else advice.RUNBOOK_DATABASE


def _told(trigger: Criterion, sign: Sign) -> Trigger:
    return Trigger(
        name=trigger.name,
        scenario=SCENARIOS[trigger.kind][0],
        limit=trigger.text,
        holds=sign.holds,
        applies=sign.applies,
        evidence=sign.evidence,
    )


def show(found: Triage, screen: Screen) -> None:
    """Print the finding: what holds, what could not be told, the scenario, and what to do."""
    screen.line(f"target  {found.target}      record  {found.record or 'none'}")
    screen.line()
    holding = [trigger for trigger in found.triggers if trigger.holds]
    unknown = [trigger for trigger in found.triggers if trigger.holds is None and trigger.applies]
    for mark, those, outcome in (("✗", holding, "fail"), ("?", unknown, "inconclusive")):
        for evidence in dict.fromkeys(trigger.evidence for trigger in those):
            for trigger in (trigger for trigger in those if trigger.evidence == evidence):
                limit = "" if trigger.limit == "true" else f" {trigger.limit}"
                screen.line(f"{mark} {trigger.name}{limit}", outcome)
            for line in textwrap.wrap(evidence, _WIDTH):
                screen.line(f"    {line}")
    if holding or unknown:
        screen.line()
    if found.scenario is None:
        quiet = len(found.triggers) - len(unknown) - sum(not trigger.applies for trigger in found.triggers)
        verdict = "could not tell" if unknown else "no trigger holds"
        screen.line(f"{verdict} · {quiet} of {len(found.triggers)} ruled out · {found.requests} requests")
        return
    screen.line(f"Scenario {found.scenario}: {found.title} · {found.requests} requests", "fail")
    if found.cure is not None:
        level = f"Level {found.cure.level}" if found.cure.level else "Data recovery"
        screen.line(f"  {level}: {found.cure.says}")
        screen.line(f"  → {found.cure.command}")
