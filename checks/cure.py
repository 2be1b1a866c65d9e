"""The lowest level that cures what holds: by what differs from the record, and where nothing does, by the signs."""

from typing import Literal

import msgspec

from checks import advice, differences, standing, triggers
from checks.components import unwell
from checks.run import DeadService
from checks.slowdown import LEAST_S
from checks.standing import Standing
from checks.survey_provider import Direct
from checks.triggers import Scene
from target.errors import TargetError

_SLOWER = "response_time_increase"
_PROVIDERS = {"provider_authentication_failed", "provider_connectivity_lost", _SLOWER}
_FAR = 1.5  # so many times another's seconds
_GRAVER = {"data_loss", "security_vulnerability"}  # than being slow
_RESTARTABLE = {"system_instability", "memory_increase"}


class Cure(msgspec.Struct, frozen=True):
    """The lowest level that cures it (0: recover data; null: no rollback does), why, and what to type or do."""

    level: Literal[0, 1, 2, 3] | None
    says: str
    command: str


async def cure(scene: Scene, holding: set[str]) -> Cure:
    """What to do about the triggers that hold."""
    seen = await standing.stands(scene.survey, scene.record)
    way = await _to_the_record(scene, seen)
    if way is not None:
        return way
    for look in (
        _outdated,
        _unrecorded,
        _dependencies,
        _stopped,
        _silent,
        _providers,
        _data,
        _table,
        _component,
        _grown,
        _waits,
        _older,
    ):
        try:
            way = await look(scene, seen, holding)
        except (TargetError, DeadService):  # what cannot be told now is no reason for anything
            continue
        if way is not None:
            return way
    return Cure(None, "nothing that runs differs from the record", advice.NOTHING_TO_ROLL_BACK)


async def difference(scene: Scene) -> Cure | None:
    """What would bring back the record where no trigger holds, but what runs is something else."""
    seen = await standing.stands(scene.survey, scene.record)
    ways = await _to_the_record(scene, seen) or await _outdated(scene, seen, set())
    return ways or await _table(scene, seen, set())


async def _to_the_record(scene: Scene, seen: Standing) -> Cure | None:
    """The way back for the part that differs from the record, or for several as one."""
    ways = await _ways(scene, seen)
    if len(ways) > 1:
        level = max((way.level for way in ways if way.level is not None), default=None)
        return Cure(level, "; ".join(way.says for way in ways), advice.together(scene.survey.target))
    return ways[0] if ways else None


async def _ways(scene: Scene, seen: Standing) -> list[Cure]:
    target, ways = scene.survey.target, list[Cure]()
    if seen.environment:
        blocked = await standing.previous_useless(scene.survey)
        command = advice.other_environment(target) if blocked else advice.environment(target)
        ways.append(Cure(1, "; ".join(filter(None, [seen.environment[0], blocked])), command))
    if seen.code:
        ways.append(Cure(2, seen.code[0], advice.code(target, *seen.revisions)))
    elif seen.compiled:
        command = advice.compiled(target, seen.revisions[0], scene.survey.host.command("restart"))
        ways.append(Cure(2, seen.compiled[0], command))
    if seen.image:
        ways.append(Cure(3, seen.image[0], advice.containers(target)))
    if seen.packages:
        ways.append(Cure(3, seen.packages[0], advice.virtualenv(target)))
    return ways


async def _outdated(scene: Scene, seen: Standing, _: set[str]) -> Cure | None:
    if not seen.stale and not seen.served:
        return None
    restart = scene.survey.host.command("restart")
    if seen.stale:
        return Cure(1, "the process is older than its environment", restart)
    return Cure(
        1,
        f"{seen.served[0]}, although what lies there is as recorded",
        f"{restart}; if that does not help, api.url ({scene.survey.target.api.url}) leads elsewhere",
    )


async def _unrecorded(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    """Without a record nothing tells what differs: then the lowest level comes first."""
    target = scene.survey.target
    if scene.record is not None or target.environment is None or holding & {"data_loss"}:
        return None
    if await standing.previous_useless(scene.survey):
        return None
    return Cure(
        1, f"no record to compare with; {target.environment.previous} differs", advice.environment(target)
    )


async def _dependencies(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    """Packages that the virtualenv believes to have, and that are not whole."""
    if "dependencies_missing" not in holding or scene.survey.target.virtualenv is None:
        return None
    lines = await triggers.missing_modules(scene)
    return Cure(3, lines[0], advice.virtualenv(scene.survey.target)) if lines else None


async def _stopped(scene: Scene, _: Standing, __: set[str]) -> Cure | None:
    if scene.survey.target.service is None:
        return None
    status = await scene.survey.host.status()
    if status is None or status.state not in ("stopped", "failed"):
        return None
    says = "nothing differs from the record, the service does not run"
    return Cure(1, says, scene.survey.host.command("start"))


async def _silent(scene: Scene, _: Standing, __: set[str]) -> Cure | None:
    if (await scene.survey.ready()).health is not None:
        return None
    return Cure(
        1,
        "nothing differs from the record, yet nothing answers",
        f"compare api.url ({scene.survey.target.api.url}) with where the service listens; "
        f"then {scene.survey.host.command('restart')}",
    )


async def _providers(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    signs = holding & _PROVIDERS
    if not signs or (signs == {_SLOWER} and holding & _GRAVER):
        return None
    used = await triggers.in_use(scene)
    failing = [each.name for each in used if not each.ok] + list(await triggers.unreached(scene, used))
    if failing or signs != {_SLOWER}:
        return Cure(1, "the environment is as recorded", advice.providers(scene.survey.target, failing))
    if not used:
        return None
    order = await scene.survey.providers()
    first, *others = sorted(used, key=lambda each: order.index(each.name))
    why = slower_than_another(first, others)
    return Cure(1, why, advice.providers(scene.survey.target, [first.name])) if why else None


def slower_than_another(first: Direct, others: list[Direct]) -> str | None:
    """Why the first of the providers is what makes the service slow: another one takes far less for the same."""
    for what, taken in (("synthesis", "speaks_s"), ("transcription", "hears_s")):
        its = getattr(first, taken)
        quicker = {each.name: getattr(each, taken) for each in others if each.ok and getattr(each, taken)}
        if its is None or not quicker:
            continue
        name, least = min(quicker.items(), key=lambda item: item[1])
        if its >= _FAR * least and its - least >= LEAST_S:
            return f"{first.name} takes {its:.2f} s for a {what} asked directly, {name} {least:.2f} s"
    return None


async def _data(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    if "data_loss" not in holding:
        return None
    target = scene.survey.target
    objects, rows = await triggers.lost_objects(scene), await triggers.lost_rows(scene)
    commands = [advice.objects(target)] if objects else []
    if target.objects is not None and not (await scene.survey.data.bucket()).there:
        commands = [f"make the bucket {target.objects.bucket} again", *commands]
    commands += [advice.database(target)] if rows else []
    return Cure(0, "; ".join([*objects[:1], *rows[:1]]), "; ".join(commands))


async def _table(scene: Scene, _: Standing, __: set[str]) -> Cure | None:
    """What is wrong with the usage log itself: a dump brings back sequence and indexes, and no column."""
    target, record = scene.survey.target, scene.record
    if target.database is None:
        return None
    facts = await scene.survey.data.table()
    recorded = record.database if record else None
    migrated = differences.columns(recorded, facts) if recorded else []
    if migrated:
        return Cure(None, "; ".join(migrated), advice.MIGRATE)
    if facts.sequence_next is not None and facts.sequence_next <= facts.max_id:
        says = f"the sequence of the id gives {facts.sequence_next} next, but row {facts.max_id} is there"
        return Cure(0, says, advice.database(target))
    lost = differences.table(recorded, facts) if recorded else []
    return Cure(0, lost[0], advice.database(target)) if lost else None


async def _component(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    """Something that the service needs does not run; the configuration that leads there is as recorded."""
    if "storage_connectivity_lost" not in holding:
        return None
    troubles = unwell(await scene.survey.health_after())
    return Cure(None, troubles[0], advice.MEND_WHAT_IS_BEHIND) if troubles else None


async def _grown(scene: Scene, _: Standing, holding: set[str]) -> Cure | None:
    if not holding & _RESTARTABLE or holding & _GRAVER:
        return None
    return Cure(1, "nothing that runs differs from the record", scene.survey.host.command("restart"))


async def _waits(_: Scene, __: Standing, holding: set[str]) -> Cure | None:
    """Slower than recorded, and nothing else: the recorded release itself was quicker, so that no other one helps."""
    if holding != {_SLOWER}:
        return None
    says = "nothing that runs differs from its record, and the first provider is not slower than another"
    return Cure(None, says, advice.MEND_WHAT_IT_WAITS_FOR)


async def _older(scene: Scene, _: Standing, __: set[str]) -> Cure | None:
    """What runs is what was recorded: then the release is what is bad, and an older one is where to go."""
    if scene.record is None:
        return Cure(2, "no record to compare with", advice.git(scene.survey.target))
    older = [
        each
        for each in await scene.survey.host.all_records()
        if each.state == "healthy"
        and each.name != scene.record.name
        and each.taken_at < scene.record.taken_at
    ]
    if not older:
        return None
    newest = max(older, key=lambda each: each.taken_at)
    says = f"nothing that runs differs from its record; before it there was {newest.name}"
    return Cure(2, says, advice.together(scene.survey.target, to=newest.name))
