"""Is it there, does it answer fast and without errors, are its components well, is its memory in bounds?"""

import pytest

from checks import advice, clock, exposition, room
from checks.components import unwell
from checks.observation import Decide
from checks.plugin import not_applicable
from checks.survey import Survey
from target.description import Target
from target.record import Record

pytestmark = [pytest.mark.post_rollback, pytest.mark.health]


@pytest.mark.decides("service_ready")
async def test_the_service_answers(survey: Survey, decide: Decide, target: Target) -> None:
    readiness = await survey.ready()
    if readiness.health is not None:
        decide.passed("service_ready", True, summary=f"ready after {readiness.seconds * 1000:.0f} ms")
        return
    decide.failed(
        "service_ready",
        False,
        evidence="\n".join([readiness.why, *await survey.host.why_down()]),
        next=advice.environment(target) if target.environment else "start the service and read its log",
    )


@pytest.mark.decides("endpoint_response_time", "error_rate")
async def test_the_health_endpoint(survey: Survey, decide: Decide) -> None:
    probes = await survey.probes()
    first = next((probe for probe in probes.failures), None)
    stopped = f"sampling stopped: {probes.stopped}" if probes.stopped else ""
    decide.rate(
        "error_rate",
        failures=len(probes.failures),
        n=len(probes.samples),
        evidence="; ".join(
            part
            for part in (
                f"{len(probes.failures)} errors in {len(probes.samples)} probes",
                f"for example {first.trouble}" if first else "",
                stopped,
            )
            if part
        ),
        next="read the log of the service: it answers some probes with errors",
    )
    decide.quantile(
        "endpoint_response_time",
        0.95,
        [probe.seconds for probe in probes.samples],
        evidence=stopped,
        next="look at the load of the host and at what `/health` waits for",
    )


@pytest.mark.decides("components_healthy")
async def test_every_component_is_healthy(survey: Survey, decide: Decide, target: Target) -> None:
    health = await survey.health_after()
    decide.require(
        "components_healthy",
        unwell(health),
        summary=f"system {health.system_status}",
        next=f"mend what is named; {advice.environment(target)} when its address or password was changed"
        if target.environment
        else "mend what is named",
    )


@pytest.mark.decides("memory_usage")
async def test_memory(survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest) -> None:
    await survey.alive()
    resident = await survey.host.resident() if target.service else None
    whose = "the process and its children"
    if resident is None:
        answer = (await survey.metrics_after()).answer
        if answer is None or not answer.ok:
            not_applicable(request.node, "neither `service` in the target file nor /metrics tells its memory")
            return
        exposed = exposition.parse(answer.text(len(answer.body))).value("process_resident_memory_bytes")
        resident, whose = (None if exposed is None else int(exposed)), "as /metrics says"
    if resident is None:
        not_applicable(request.node, "neither `service` nor process_resident_memory_bytes tells its memory")
        return
    decide.value(
        "memory_usage",
        float(resident),
        evidence=f"{resident / 1e6:.0f} MB ({whose})",
        next="restart the service and watch whether it grows again",
    )


@pytest.mark.decides("memory_increase")
@pytest.mark.needs("service", "record.memory_bytes")
async def test_memory_has_not_grown(
    survey: Survey, decide: Decide, record: Record, request: pytest.FixtureRequest
) -> None:
    await survey.alive()
    now, then = await survey.host.resident(), record.memory_bytes or 0
    if now is None:
        not_applicable(request.node, "the service is not a process of the host")
        return
    decide.value(
        "memory_increase",
        now / then - 1,
        evidence=f"{now / 1e6:.0f} MB, recorded {then / 1e6:.0f} MB",
        next="restart the service and watch whether it grows again",
    )


@pytest.mark.decides("clock_offset")
async def test_the_clock(survey: Survey, decide: Decide, request: pytest.FixtureRequest) -> None:
    await survey.alive()
    answer = (await survey.ready()).answer
    told = clock.told(answer) if answer is not None else None
    if told is None:
        not_applicable(request.node, "the answer to /health has no `Date:` that could be read")
        return
    decide.value(
        "clock_offset",
        abs(told.least_s),
        evidence=told.text,
        next="see which is wrong (`date -u` here and on the host of the service), and set that clock",
    )


@pytest.mark.decides("disk_free")
async def test_there_is_room(
    survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest
) -> None:
    if not room.written(target):
        not_applicable(request.node, "the target names nothing that is written on the host")
        return
    least = min(await survey.host.room(), key=lambda each: each.free)
    decide.value(
        "disk_free",
        float(least.free),
        evidence=least.text,
        next="free some space there: neither the service nor a rollback can write",
    )
