"""Triage names the scenario, the evidence, and the lowest level that cures it."""

import io
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from checks.screen import Screen
from checks.triage import Trigger, exit_code, judge, limits, named, show, small_budget
from checks.triggers import TRIGGERS, Scene
from target.record import LatencyRecord


@pytest.fixture
def triage(survey_for: Any) -> Callable[..., Any]:
    """Judge every trigger on a deployment, with the small budget."""

    async def run(deployment: Any) -> Any:
        target = deployment.target
        small = small_budget(target, deployment.record)
        deployment.target = msgspec.structs.replace(target, budget=small)
        survey = survey_for(deployment, limits=limits(target))
        try:
            return await judge(Scene(survey, deployment.record))
        finally:
            await survey.close()

    return run


def holding(found: Any) -> set[str]:
    return {trigger.name for trigger in found.triggers if trigger.holds}


async def test_a_good_deployment_shows_no_sign(deployment: Any, triage: Any) -> None:
    deployment.record = msgspec.structs.replace(
        deployment.record,
        latency=LatencyRecord(tts=(0.02,) * 30, stt=(0.02,) * 30),
        memory_bytes=290_000_000,
    )
    found = await triage(deployment)
    assert holding(found) == set()
    assert [trigger.name for trigger in found.triggers if trigger.holds is None] == []
    assert (found.exit_code, found.scenario, found.cure) == (0, None, None)
    assert found.requests < 400


def environment(d: Any) -> None:
    d.environment["DATABASE_URL"] = "postgresql://voice:wrong@127.0.0.1/voice"
    d.fails_every = 1


def bucket(d: Any) -> None:
    d.bucket_there = False


def stale(d: Any) -> None:
    d.environment_changed = 1_700_000_050.0


def refused(d: Any) -> None:
    d.provider_problem["google"] = "401 UNAUTHENTICATED"


def unreachable(d: Any) -> None:
    d.provider_problem["openai"] = "timed out after 10 s"


def unreached(d: Any) -> None:
    d.health["providers"]["google"] = {"status": "unhealthy", "last_error": "no answer within 10 s"}


def unreached_so_far(d: Any) -> None:
    d.health["providers"]["google"] = {"status": "degraded", "last_error": "no answer within 10 s"}
    d.fails_every = 1


def slow(d: Any) -> None:
    d.seconds = 0.5
    d.record = msgspec.structs.replace(d.record, latency=LatencyRecord(tts=(0.2,) * 30, stt=(0.2,) * 30))


def slow_provider(d: Any) -> None:
    slow(d)
    d.provider_seconds["openai"] = 0.45


def slow_second_provider(d: Any) -> None:
    slow(d)
    d.provider_seconds["google"] = 0.45


def hungry(d: Any) -> None:
    d.record = msgspec.structs.replace(d.record, memory_bytes=100_000_000)


def errors(d: Any) -> None:
    d.fails_every = 3


def open_door(d: Any) -> None:
    d.checks_token = False
    d.code["app/api.py"] = "cc"


def missing(d: Any) -> None:
    del d.packages["openai"]


def module_gone(d: Any) -> None:
    """Its metadata is there, so that the virtualenv believes to have it."""
    d.alive, d.last_words = False, "ModuleNotFoundError: No module named 'fastapi'"


def own_module_gone(d: Any) -> None:
    d.alive, d.last_words = False, "ModuleNotFoundError: No module named 'app.services.voice_v2.orchestrator'"
    del d.code["app/api.py"]


def dead(d: Any) -> None:
    d.alive = False
    d.environment["LOG_LEVEL"] = "LOUD"


def errors_of_the_first_release(d: Any) -> None:
    d.fails_every = 3
    d.older = msgspec.structs.replace(d.older, state="bad")


def same_previous(d: Any) -> None:
    d.environment["LOG_LEVEL"] = d.previous["LOG_LEVEL"] = "LOUD"


def lacking_previous(d: Any) -> None:
    d.environment["LOG_LEVEL"] = "LOUD"
    del d.previous["DATABASE_URL"]
    settings = msgspec.structs.replace(d.target.environment, required=("DATABASE_URL",))
    d.target = msgspec.structs.replace(d.target, environment=settings)


def several(d: Any) -> None:
    d.environment["LOG_LEVEL"] = "LOUD"
    d.code["app/api.py"] = "cc"


def another_image(d: Any) -> None:
    d.image, d.health["version"], d.fails_every = "sha256:fedcba", "2.4.0", 2


def broken_virtualenv(d: Any) -> None:
    d.alive, d.python = False, ""


def rows(d: Any) -> None:
    d.rows = [row for row in d.rows if row.id > 3]


def rows_and_objects(d: Any) -> None:
    rows(d)
    del d.objects["tts/10.wav"]


def altered(d: Any) -> None:
    """Other bytes, as many; no row tells, only the record's hash."""
    audio, at = d.objects["tts/7.wav"]
    d.objects["tts/7.wav"] = (audio[:-1] + bytes([audio[-1] ^ 1]), at)
    d.target = msgspec.structs.replace(d.target, database=None)


def database_down(d: Any) -> None:
    d.health["components"]["database"] = {"status": "unhealthy", "error": "connection refused"}


def sequence_behind(d: Any) -> None:
    d.sequence_gap, d.fails_every = -5, 1


def table_missing(d: Any) -> None:
    d.table_there, d.fails_every = False, 1


def migrated(d: Any) -> None:
    d.revision, d.fails_every = "0004", 2


def another_answers(d: Any) -> None:
    d.health["version"], d.fails_every = "2.4.0", 2


async def test_a_breakdown_before_a_stranger_is_no_open_door(deployment: Any, triage: Any) -> None:
    deployment.strangers_get = 502
    assert "security_vulnerability" not in holding(await triage(deployment))


@pytest.mark.parametrize(
    ("spoil", "scenario", "expected", "level", "command"),
    [
        (
            environment,
            3,
            {"environment_conflict", "api_failures", "error_share"},
            1,
            "python -m rollback environment",
        ),
        (stale, 3, {"environment_conflict"}, 1, "docker compose restart"),
        (refused, 3, {"provider_authentication_failed"}, 1, "rollback providers --disable google"),
        (unreachable, 1, {"provider_connectivity_lost"}, 1, "rollback providers"),
        (unreached, 1, {"provider_connectivity_lost"}, 1, "rollback providers --disable google"),
        (
            unreached_so_far,
            1,
            {"provider_connectivity_lost", "api_failures", "error_share"},
            1,
            "rollback providers --disable google",
        ),
        (missing, 3, {"dependencies_missing"}, 3, "python -m rollback virtualenv"),
        (module_gone, 3, {"dependencies_missing", "api_failures"}, 3, "python -m rollback virtualenv"),
        (own_module_gone, 1, {"api_failures"}, 2, "python -m rollback files"),
        (slow, 2, {"response_time_increase"}, None, "look at what the service waits for"),
        (slow_provider, 2, {"response_time_increase"}, 1, "rollback providers --disable openai"),
        (slow_second_provider, 2, {"response_time_increase"}, None, "look at what the service waits for"),
        (hungry, 2, {"memory_increase"}, 1, "docker compose restart"),
        (errors, 1, {"api_failures", "error_share"}, 2, "python -m rollback set --to 2.2.0"),
        (errors_of_the_first_release, 1, {"api_failures", "error_share"}, None, "nothing to go back to"),
        (same_previous, 3, {"environment_conflict"}, 1, "rollback environment --to FILE"),
        (lacking_previous, 3, {"environment_conflict"}, 1, "rollback environment --to FILE"),
        (several, 3, {"environment_conflict"}, 2, "python -m rollback set"),
        (another_image, 1, {"api_failures"}, 3, "rollback containers"),
        (broken_virtualenv, 1, {"api_failures"}, 3, "virtualenv"),
        (rows, 1, {"data_loss"}, 0, "python -m rollback database"),
        (rows_and_objects, 1, {"data_loss"}, 0, "rollback objects"),
        (altered, 1, {"data_loss"}, 0, "python -m rollback objects"),
        (database_down, 3, {"storage_connectivity_lost"}, None, "bring that back"),
        (sequence_behind, 1, {"api_failures"}, 0, "python -m rollback database"),
        (table_missing, 1, {"data_loss"}, 0, "python -m rollback database"),
        (migrated, 1, {"api_failures"}, None, "alembic"),
        (another_answers, 1, {"api_failures"}, 1, "leads elsewhere"),
        (bucket, 1, {"data_loss"}, 0, "make the bucket voice again; python -m rollback objects"),
        (open_door, 1, {"security_vulnerability"}, 2, "python -m rollback files"),
        (
            dead,
            3,
            {"api_failures", "error_share", "environment_conflict"},
            1,
            "python -m rollback environment",
        ),
    ],
)
async def test_a_sign_leads_to_its_scenario_and_cure(
    deployment: Any,
    triage: Any,
    spoil: Callable[[Any], None],
    scenario: int,
    expected: set[str],
    level: int,
    command: str,
) -> None:
    spoil(deployment)
    found = await triage(deployment)
    assert expected <= holding(found)
    assert (found.exit_code, found.scenario, found.cure.level) == (1, scenario, level)
    assert command in found.cure.command
    assert all(trigger.evidence for trigger in found.triggers)


@pytest.mark.parametrize(("now", "sampled", "at_once"), [(0.19, 8, 8), (0.6, 4, 4), (0.6, 16, 8)])
async def test_as_many_are_asked_at_once_as_when_the_record_was_taken(
    deployment: Any, triage: Any, now: float, sampled: int, at_once: int
) -> None:
    """Also here, less than 0.2 s more is no sign; nor is what was sampled with more than the target allows."""
    deployment.seconds = now
    recorded = LatencyRecord((0.02,) * 30, (0.02,) * 30, sampled)
    deployment.record = msgspec.structs.replace(deployment.record, latency=recorded)
    assert small_budget(deployment.target, deployment.record).concurrency == at_once
    assert ("response_time_increase" in holding(await triage(deployment))) == (sampled == 4)


def test_without_a_record_as_many_are_asked_at_once_as_the_target_allows(deployment: Any) -> None:
    assert small_budget(deployment.target, None).concurrency == 8


async def test_data_recovery_is_told_as_commands_that_one_can_type(deployment: Any, triage: Any) -> None:
    rows_and_objects(deployment)
    settings = msgspec.structs.replace(
        deployment.target.database, admin_url="postgresql:///voice", dumps="/dumps/%Y%m%d.dump"
    )
    deployment.target = msgspec.structs.replace(deployment.target, database=settings)
    found = await triage(deployment)
    assert found.cure.command.split("; ") == [
        f"python -m rollback {action} --target /nowhere/target.yaml" for action in ("objects", "database")
    ]


async def test_another_release_than_the_recorded_one_is_told_without_a_sign(
    deployment: Any, triage: Any
) -> None:
    deployment.health["version"], deployment.code["app/api.py"] = "2.4.0", "cc"
    found = await triage(deployment)
    assert (holding(found), found.scenario, found.cure.level) == (set(), None, 2)
    stream = io.StringIO()
    show(found, Screen(stream, width=60))
    assert "If that is not meant to be" in " ".join(stream.getvalue().split())


async def test_scripts_that_point_elsewhere_are_told_although_nothing_fails_yet(
    deployment: Any, triage: Any
) -> None:
    deployment.venv[4] = "bin/tool\n#!/old/venv/bin/python\n"
    found = await triage(deployment)
    assert (found.scenario, found.cure.level) == (None, 3)
    assert found.cure.says == "bin/tool (/old/venv/bin/python) points elsewhere"


async def test_another_revision_of_the_database_is_told_without_a_sign(deployment: Any, triage: Any) -> None:
    deployment.revision = "0002"
    found = await triage(deployment)
    assert (holding(found), found.scenario, found.cure.level) == (set(), None, None)
    assert "0002, recorded 0003" in found.cure.says


async def test_stale_bytecode_is_told_with_what_replaces_it(deployment: Any, triage: Any) -> None:
    deployment.compiled_otherwise = ["/srv/app/main.py"]
    found = await triage(deployment)
    assert (found.scenario, found.cure.level) == (None, 2)
    assert "__pycache__" in found.cure.command
    deployment.target = msgspec.structs.replace(
        deployment.target, code=msgspec.structs.replace(deployment.target.code, backups="/backups/%Y%m%d")
    )
    assert "python -m rollback files" in (await triage(deployment)).cure.command


async def test_what_cannot_be_told_is_neither_green_nor_a_sign(deployment: Any, triage: Any) -> None:
    deployment.fails_every = 25
    found = await triage(deployment)
    assert found.exit_code == 6
    assert "error_share" in {trigger.name for trigger in found.triggers if trigger.holds is None}
    stream = io.StringIO()
    show(found, Screen(stream, width=100))
    assert "? error_share > 5%" in stream.getvalue()
    assert stream.getvalue().rstrip().splitlines()[-1].startswith("could not tell")


async def test_every_trigger_is_counted_once(deployment: Any, triage: Any) -> None:
    deployment.fails_every = 25
    deployment.target = msgspec.structs.replace(deployment.target, objects=None, database=None)
    found = await triage(deployment)
    stream = io.StringIO()
    show(found, Screen(stream, width=100))
    last = stream.getvalue().rstrip().splitlines()[-1]
    counted = re.search(r"(\d+) of (\d+) ruled out, (\d+) not applicable", last)
    assert counted is not None, last
    quiet, every, apart = map(int, counted.groups())
    assert (
        every
        == len(found.triggers)
        == quiet + apart + stream.getvalue().count("\n? ") + (stream.getvalue().startswith("? "))
    )
    assert apart >= 1


async def test_the_page_ends_with_what_to_type(deployment: Any, triage: Any) -> None:
    environment(deployment)
    stream = io.StringIO()
    show(await triage(deployment), Screen(stream, width=100))
    lines = stream.getvalue().rstrip().splitlines()
    assert lines[-3].startswith("Scenario 3: Configuration Issues")
    assert lines[-1].strip() == "-> python -m rollback environment --target /nowhere/target.yaml"
    assert "wrong" not in stream.getvalue()


def trigger(name: str, scenario: int, holds: bool | None, *, applies: bool = True) -> Trigger:
    return Trigger(name=name, scenario=scenario, limit="true", holds=holds, applies=applies, evidence="e")


def test_a_cause_beats_its_symptoms_unless_data_or_security_are_at_stake() -> None:
    failing, cause = trigger("api_failures", 1, True), trigger("environment_conflict", 3, True)
    assert named([failing, cause]) == 3
    assert named([cause, trigger("data_loss", 1, True)]) == 1
    assert named([failing, trigger("error_share", 2, True)]) == 1
    assert named([]) is None


def test_the_exit_code_tells_a_sign_from_doubt_from_calm() -> None:
    assert exit_code([trigger("a", 1, None), trigger("b", 2, True)]) == 1
    assert exit_code([trigger("a", 1, None), trigger("b", 2, False)]) == 6
    assert exit_code([trigger("a", 1, None, applies=False), trigger("b", 2, False)]) == 0


def test_every_trigger_of_the_file_is_judged() -> None:
    from checks.criterion import triggers

    assert set(TRIGGERS) == set(triggers())
