"""The runbook's triggers: does a sign hold that calls for a rollback?"""

from collections.abc import Awaitable, Callable

import msgspec

from checks import differences, reconcile, slowdown, standing
from checks.components import ill, unwell
from checks.exposure import exposed, known_secrets
from checks.rates import RatePlan
from checks.run import DeadService
from checks.survey import Survey
from checks.survey_provider import Direct
from target.errors import TableMissing, TargetError
from target.record import Record

_REFUSED = {401, 403}
_BROKEN = 500
_MISSING = ("ModuleNotFoundError", "ImportError", "No module named")


class Sign(msgspec.Struct, frozen=True):
    """Whether a trigger holds (None: could not be told) and why; `applies` is false where the target offers no way."""

    holds: bool | None
    evidence: str
    applies: bool = True


class Scene(msgspec.Struct, frozen=True):
    """What triage looks at; `record` is None where none is kept."""

    survey: Survey
    record: Record | None


def absent(why: str) -> Sign:
    """A sign that this target cannot show."""
    return Sign(None, why, applies=False)


def found(problems: list[str], otherwise: str) -> Sign:
    """A sign that holds when there are problems."""
    return Sign(bool(problems), "; ".join(problems[:3]) or otherwise)


async def _failures(scene: Scene, limit: float) -> Sign:
    readiness = await scene.survey.ready()
    if readiness.health is None:
        return Sign(
            True, "; ".join([f"it does not answer: {readiness.why}", *await scene.survey.host.why_down()])
        )
    voice = await scene.survey.voice()
    taken, failed = [*voice.tts.samples, *voice.stt.samples], [*voice.tts.failures, *voice.stt.failures]
    judged = RatePlan(limit).judge(len(failed), len(taken))
    example = f": {failed[0].trouble}" if failed else ""
    holds = {"fail": True, "pass": False, "inconclusive": None}[judged.outcome]
    return Sign(holds, f"{len(failed)} of {len(taken)} requests failed{example}")


async def _slower(scene: Scene, limit: float) -> Sign:
    if scene.record is None:
        return absent("no record with a latency baseline to compare with")
    recorded = scene.record.latency
    if why := slowdown.incomparable(recorded, scene.survey.target.budget.concurrency):
        return absent(why)
    found = slowdown.compare(await scene.survey.voice(), recorded)
    low, high = found.increase.low, found.increase.high
    return Sign(True if low > limit else False if high <= limit else None, found.evidence)


async def _memory(scene: Scene, limit: float) -> Sign:
    if scene.survey.target.service is None:
        return absent("the target names no service whose memory could be read")
    if scene.record is None or scene.record.memory_bytes is None:
        return absent("no record with a figure of memory to compare with")
    now, then = await scene.survey.host.resident(), scene.record.memory_bytes
    if now is None:
        return absent("the service is not a process of the host")
    return Sign(now > (1 + limit) * then, f"{now / 1e6:.0f} MB, recorded {then / 1e6:.0f} MB")


async def in_use(scene: Scene) -> list[Direct]:
    """What the providers answer that are to be in use: one that is disabled on purpose is no sign."""
    names = await scene.survey.providers()
    return [each for each in await scene.survey.direct() if each.name in names]


async def _providers_lost(scene: Scene, limit: float) -> Sign:
    del limit
    target = scene.survey.target
    if not target.providers or target.environment is None:
        return absent("the target names no providers, or no environment with their credentials")
    used = await in_use(scene)
    lost = [each for each in used if not each.ok and not each.refused and not each.unusable]
    lines = [f"{each.name}: {each.troubles[0]}" for each in lost]
    lines += [
        f"{name} answers directly, but not the service: {why}"
        for name, why in (await unreached(scene, used)).items()
    ]
    return found(lines, "every provider that accepts us answers")


async def unreached(scene: Scene, used: list[Direct]) -> dict[str, str]:
    """What `/health` says of the providers that answer directly and yet fail the service."""
    serves = (await scene.survey.voice()).serves
    return ill(await scene.survey.health_after(), [each.name for each in used if each.ok], serves=serves)


async def _providers_refuse(scene: Scene, limit: float) -> Sign:
    del limit
    target = scene.survey.target
    if not target.providers or target.environment is None:
        return absent("the target names no providers, or no environment with their credentials")
    refusing = [each for each in await in_use(scene) if each.refused or each.unusable]
    lines = [each.unusable or f"{each.name} refuses its credentials: {each.troubles[0]}" for each in refusing]
    return found(lines, "every provider accepts its credentials")


async def _data_lost(scene: Scene, limit: float) -> Sign:
    del limit
    target = scene.survey.target
    if target.objects is None and target.database is None:
        return absent("the target names neither `objects` nor `database`")
    return found(await lost_rows(scene) + await lost_objects(scene), "rows and objects are as recorded")


async def lost_rows(scene: Scene) -> list[str]:
    """Days with other rows than were recorded."""
    if scene.survey.target.database is None:
        return []
    try:
        facts = await scene.survey.data.table()
    except TableMissing as error:
        return [str(error)]
    recorded = scene.record.database if scene.record else None
    return differences.rows(recorded, facts) if recorded else []


async def lost_objects(scene: Scene) -> list[str]:
    """Objects that are gone or other ones, against the record and against the rows."""
    target, data, record = scene.survey.target, scene.survey.data, scene.record
    if target.objects is None:
        return []
    bucket = await data.bucket()
    if not bucket.there:
        return [f"the bucket {target.objects.bucket} is not there"]
    problems = []
    if record is not None and record.objects is not None:
        problems += await data.against(record.objects)
    if target.database is None:
        return problems
    try:
        gone = reconcile.missing_audio(await data.owed(), bucket.objects)
        problems += [f"{len(gone)} rows without their audio"] if gone else []
        problems += reconcile.wrong_content(await data.contents())
    except TableMissing:
        pass  # which is among what is said of the rows
    return problems


async def _vulnerable(scene: Scene, limit: float) -> Sign:
    del limit
    survey, target = scene.survey, scene.survey.target
    intruders = await survey.intruders() if target.api.token else []
    open_doors = [
        f"{each.what} is answered with {each.answer.status}"
        for each in intruders
        if each.answer is not None and each.answer.status < _BROKEN and each.answer.status not in _REFUSED
    ]
    health, metrics = (await survey.ready()).answer, (await survey.metrics_after()).answer
    answers = [(target.api.paths.health, health), (target.api.paths.metrics, metrics)]
    answers += [(f"the answer to {each.what}", each.answer) for each in intruders]
    places = [
        (place, answer.body.decode("utf-8", "replace")) for place, answer in answers if answer is not None
    ]
    variables = await survey.host.variables() if target.environment else {}
    return found(
        open_doors + exposed(places, known_secrets(target, variables)), "strangers refused, no secret told"
    )


async def _unstable(scene: Scene, limit: float) -> Sign:
    del limit
    survey, problems = scene.survey, list[str]()
    if survey.target.service is None:
        return absent("the target names no `service`")
    first = await survey.host.status()
    answers = (await survey.ready()).health is not None
    if first is not None and (first.state == "failed" or (first.state == "starting" and not answers)):
        problems.append(f"the service is {first.state}: {first.detail}")
    elif first is not None and answers:
        last = await survey.host.status_after()
        if last is not None and last.state in ("failed", "starting"):
            problems.append(f"the service is {last.state}: {last.detail}")
        elif last is not None and last.pid != first.pid:
            problems.append(f"it restarted meanwhile: process {first.pid}, then {last.pid}")
    return found(problems, "the process stayed the same")


async def _environment_conflict(scene: Scene, limit: float) -> Sign:
    del limit
    if scene.survey.target.environment is None:
        return absent("the target names no `environment`")
    await scene.survey.ready()
    lines = await standing.environment(scene.survey, scene.record) + await standing.stale(scene.survey)
    return found(
        lines, "the environment is as recorded, and the process younger" if scene.record else "no record"
    )


async def _storage_lost(scene: Scene, limit: float) -> Sign:
    del limit
    return found(unwell(await scene.survey.health_after()), "/health says that every component is well")


async def _dependencies_missing(scene: Scene, limit: float) -> Sign:
    del limit
    if (await scene.survey.ready()).health is None:
        return found(await missing_modules(scene), "the log does not speak of a missing package")
    if scene.record is None or scene.survey.target.virtualenv is None:
        return absent("no record, or no `virtualenv` in the target, to compare packages with")
    lines = [line for line in await standing.packages(scene.survey, scene.record) if "not installed" in line]
    return found(lines, "every recorded package is installed")


async def missing_modules(scene: Scene) -> list[str]:
    """What the log of a service that does not answer says of modules that are not there; its own are no packages."""
    code = scene.survey.target.code
    own = f"No module named '{code.package.partition('/')[0]}." if code else ""
    return [
        line
        for line in await scene.survey.host.why_down()
        if any(sign in line for sign in _MISSING) and not (own and own in line)
    ]


TRIGGERS: dict[str, Callable[[Scene, float], Awaitable[Sign]]] = {
    "api_failures": _failures,
    "provider_connectivity_lost": _providers_lost,
    "data_loss": _data_lost,
    "security_vulnerability": _vulnerable,
    "response_time_increase": _slower,
    "memory_increase": _memory,
    "error_share": _failures,
    "system_instability": _unstable,
    "environment_conflict": _environment_conflict,
    "provider_authentication_failed": _providers_refuse,
    "storage_connectivity_lost": _storage_lost,
    "dependencies_missing": _dependencies_missing,
}


async def sign_of(name: str, scene: Scene, limit: float) -> Sign:
    """Whether one trigger holds; what keeps it from being told is its evidence."""
    try:
        return await TRIGGERS[name](scene, limit)
    except (TargetError, DeadService) as error:
        return Sign(None, str(error))
