"""Triage: which emergency scenario of the runbook holds, by what evidence, and the lowest level that cures it."""

import asyncio

import msgspec

from checks.chosen import in_use
from checks.criterion import Criterion, criteria, triggers
from checks.cure import Cure, cure, difference
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
SCENARIOS = {
    "critical": (1, "Critical Production Issues"),
    "degradation": (2, "Performance Degradation"),
    "configuration": (3, "Configuration Issues"),
}
_REQUESTS, _SECONDS = 600, 40.0
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


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """The finding; `scenario` is null where no trigger holds, and `cure` where then nothing differs from the record.

    `chosen` says what is so on purpose.
    """

    schema: int = FORMAT
    target: str
    record: str | None
    scenario: int | None
    title: str
    triggers: list[Trigger]
    cure: Cure | None
    exit_code: int
    requests: int
    chosen: str = ""


async def triage(target: Target, record: str | None) -> Triage:
    """Survey the target with a small budget and judge every trigger. Raises TargetError for a target out of reach."""
    hosts = [Host(url) for url in target.hosts]
    try:
        await asyncio.gather(*(asyncio.to_thread(host.identity) for host in hosts))
    except HostError as error:
        raise WrongTarget(str(error)) from error
    found = await asyncio.to_thread(_record, target, hosts[0], record)
    small = msgspec.structs.replace(target, budget=small_budget(target, found))
    api = open_api(small, hosts[0])
    survey = Survey(small, api, hosts, limits(target), _KINDS)
    try:
        await survey.ready()
        return await judge(Scene(survey, found))
    finally:
        await survey.close()
        await api.aclose()


async def judge(scene: Scene) -> Triage:
    """Judge every trigger on a survey, name the scenario and its cure."""
    known = triggers()
    signs = await asyncio.gather(*(sign_of(name, scene, trigger.limit) for name, trigger in known.items()))
    told = [_told(trigger, sign) for trigger, sign in zip(known.values(), signs, strict=True)]
    holding = {trigger.name for trigger in told if trigger.holds}
    scenario = named([trigger for trigger in told if trigger.holds])
    return Triage(
        target=scene.survey.target.name,
        record=scene.record.name if scene.record else None,
        scenario=scenario,
        title=next((title for number, title in SCENARIOS.values() if number == scenario), "no trigger holds"),
        triggers=told,
        cure=await (cure(scene, holding) if holding else difference(scene)),
        exit_code=exit_code(told),
        requests=scene.survey.requests,
        chosen=await _chosen(scene),
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


async def _chosen(scene: Scene) -> str:
    """What was chosen on purpose, where that could be told."""
    try:
        return (await in_use(scene.survey)).note
    except TargetError as error:
        return str(error)


def small_budget(target: Target, record: Record | None) -> Budget:
    """The target's budget, cut down to what triage needs; no more at once than when the record was taken."""
    budget = target.budget
    at_once = record.latency.concurrency if record else budget.concurrency
    return msgspec.structs.replace(
        budget,
        requests=min(budget.requests, _REQUESTS),
        seconds=min(budget.seconds, _SECONDS),
        concurrency=min(budget.concurrency, at_once),
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
    if found.chosen:
        screen.text(f"chosen  {found.chosen}")
    screen.line()
    holding = [trigger for trigger in found.triggers if trigger.holds]
    unknown = [trigger for trigger in found.triggers if trigger.holds is None and trigger.applies]
    for mark, those, outcome in (("✗", holding, "fail"), ("?", unknown, "inconclusive")):
        for evidence in dict.fromkeys(trigger.evidence for trigger in those):
            for trigger in (trigger for trigger in those if trigger.evidence == evidence):
                limit = "" if trigger.limit == "true" else f" {trigger.limit}"
                screen.line(f"{mark} {trigger.name}{limit}", outcome)
            screen.text(evidence, "    ")
    if holding or unknown:
        screen.line()
    if found.scenario is None:
        apart = sum(not trigger.applies for trigger in found.triggers)
        quiet = len(found.triggers) - len(unknown) - apart
        verdict = "could not tell" if unknown else "no trigger holds"
        rest = f", {apart} not applicable" if apart else ""
        screen.line(
            f"{verdict} · {quiet} of {len(found.triggers)} ruled out{rest} · {found.requests} requests"
        )
    else:
        screen.line(f"Scenario {found.scenario}: {found.title} · {found.requests} requests", "fail")
    if found.cure is not None:
        _show_cure(found.cure, screen, meant=found.scenario is None)


def _show_cure(cure: Cure, screen: Screen, *, meant: bool) -> None:
    level = {None: "No rollback cures this", 0: "Data recovery"}.get(cure.level, f"Level {cure.level}")
    if meant:
        screen.text(f"Not as recorded: {cure.says}. If that is not meant to be, {level}:", "  ")
    else:
        screen.text(f"{level}: {cure.says}", "  ")
    screen.line(f"  → {cure.command}")
