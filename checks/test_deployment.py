"""What runs is what was recorded: version, revision, environment, packages, code, image, and nothing mixed."""

import pytest

from checks import advice, chosen, differences, standing
from checks.mixture import belongs_to, mixture
from checks.observation import Decide
from checks.plugin import not_applicable
from checks.standing import START_S
from checks.survey import Survey
from target.description import Target
from target.errors import ApiError
from target.record import Record
from target.service import ServiceStatus

pytestmark = [pytest.mark.post_rollback, pytest.mark.deployment]

# Two looks at one process tell its start alike within this.
_SAME_START_S = 2.0


@pytest.mark.decides("version_matches_record")
@pytest.mark.needs("record.version")
async def test_version(survey: Survey, decide: Decide, target: Target, record: Record) -> None:
    said = await survey.said()
    decide.require(
        "version_matches_record",
        differences.served([health.version or "" for health in said], record.version or ""),
        summary=f"serves {record.version}",
        next=advice.git(target),
        n=len(said),
    )


@pytest.mark.decides("revision_matches_record")
@pytest.mark.needs("record.revision")
async def test_revision(survey: Survey, decide: Decide, target: Target, record: Record) -> None:
    said = await survey.said()
    revisions = [health.revision or "" for health in said]
    decide.require(
        "revision_matches_record",
        differences.served(revisions, record.revision or "", differences.same_revision),
        summary=revisions[0][:7],
        next=advice.git(target),
        n=len(said),
    )


@pytest.mark.decides("environment_matches_record")
@pytest.mark.needs("environment", "record.environment")
async def test_environment(survey: Survey, decide: Decide, target: Target, record: Record) -> None:
    assert record.environment is not None
    await survey.ready()
    current = await survey.host.environment()
    decide.require(
        "environment_matches_record",
        await chosen.environment(survey, record),
        summary=f"{len(current.values)} variables as recorded",
        next=advice.environment(target),
        n=len(current.values),
    )
    decide.note("environment_matches_record", (await chosen.in_use(survey)).note)


@pytest.mark.decides("process_runs_current_environment")
@pytest.mark.needs("environment", "service")
async def test_process_environment(survey: Survey, decide: Decide) -> None:
    file = await survey.host.environment_file()
    status = await survey.host.status()
    started = start(status, decide, "process_runs_current_environment")
    if started is None:
        return
    problems = []
    if await survey.host.shows_environment():
        variables, process = await survey.host.variables(), await survey.host.process_environment() or {}
        wrong = sorted(name for name, value in variables.items() if process.get(name) != value)
        if wrong:
            problems.append(
                f"{len(wrong)} variables of the process differ from the file: {differences.named(wrong)}"
            )
    else:
        problems += older(started, file.path, file.changed)
    decide.require(
        "process_runs_current_environment",
        problems,
        summary=f"process started {differences.clock(started)}",
        next=survey.host.command("restart"),
    )


@pytest.mark.decides("packages_match_record")
@pytest.mark.needs("virtualenv", "record.packages")
async def test_packages(survey: Survey, decide: Decide, record: Record, target: Target) -> None:
    assert record.packages is not None
    python, packages = await survey.host.packages()
    problems = differences.versions(packages, record.packages)
    if record.python is not None and python != record.python:
        problems.insert(0, f"Python is {python}, recorded {record.python}")
    decide.require(
        "packages_match_record",
        problems,
        summary=f"{len(packages)} packages",
        next=advice.virtualenv(target),
        n=len(packages),
    )


@pytest.mark.decides("virtualenv_whole")
@pytest.mark.needs("virtualenv")
async def test_virtualenv(survey: Survey, decide: Decide, target: Target) -> None:
    assert target.virtualenv is not None
    problems = (await survey.host.virtualenv()).problems(target.virtualenv.path)
    decide.require("virtualenv_whole", problems, summary="", next=advice.virtualenv(target))


@pytest.mark.decides("code_matches_record")
@pytest.mark.needs("code", "record.code")
async def test_code(survey: Survey, decide: Decide, target: Target, record: Record) -> None:
    assert record.code is not None
    code = await survey.host.code()
    problems = differences.lines(code.files, record.code.files, "files")
    if not problems and code.tree_sha256 != record.code.tree_sha256:
        problems.append("modes of files differ")
    decide.require(
        "code_matches_record",
        problems,
        summary=f"{len(code.files)} files as recorded",
        next=advice.code(target, code.revision, record.code.revision),
        n=len(code.files),
    )


@pytest.mark.decides("process_runs_current_code")
@pytest.mark.needs("code", "service")
async def test_process_code(survey: Survey, decide: Decide, target: Target) -> None:
    compiled = await standing.compiled(survey)
    if compiled:
        here = (await survey.host.code()).revision
        then = advice.compiled(target, here, survey.host.command("restart"))
        decide.require("process_runs_current_code", compiled, summary="", next=then)
        return
    changed, path = await survey.host.newest_code()
    status = await survey.host.status()
    started = start(status, decide, "process_runs_current_code")
    if started is None:
        return
    decide.require(
        "process_runs_current_code",
        older(started, path, changed),
        summary="",
        next=survey.host.command("restart"),
    )


@pytest.mark.decides("image_matches_record")
@pytest.mark.needs("service.compose", "record.image_digest")
async def test_image(survey: Survey, decide: Decide, record: Record, target: Target) -> None:
    digest = await survey.host.image()
    decide.require(
        "image_matches_record",
        []
        if digest == record.image_digest
        else [f"runs {digest or 'no image'}, recorded {record.image_digest}"],
        summary=f"image {(digest or '')[:19]}",
        next=advice.containers(target),
    )


@pytest.mark.decides("no_crash_loop")
async def test_it_stays_up(survey: Survey, decide: Decide, target: Target) -> None:
    before, told, problems = await survey.alive(), list[str](), list[str]()
    silent: ApiError | None = None
    try:
        after = await survey.health_after()
        if before.started_at != after.started_at:
            told.append(f"/health: started {before.started_at}, then {after.started_at}")
    except ApiError as error:  # one that is just starting again does not answer
        silent = error
    if target.service is not None:
        first, last = await survey.host.status(), await survey.host.status_after()
        if first is not None and last is not None and restarted(first, last):
            problems.append(f"process {first.pid}, then {last.pid}: {last.detail}")
        elif first is not None and last is not None and last.pid is not None:
            told = []  # the process is the same: another one answered beside it
    problems = told + problems
    if silent is not None and not problems:
        raise silent
    decide.require(
        "no_crash_loop",
        [f"it restarted while it was being checked; {problem}" for problem in problems],
        summary="",
        next="read the log of the service for why it stops",
    )


@pytest.mark.decides("nothing_mixed")
@pytest.mark.needs("record.version")
async def test_nothing_is_mixed(survey: Survey, decide: Decide, target: Target) -> None:
    host, health = survey.host, await survey.alive()
    parts = belongs_to(
        await host.all_records(),
        version=health.version,
        code=(await host.code()).tree_sha256 if target.code else None,
        environment=(await host.environment()).values if target.environment else None,
        packages=(await host.packages())[1] if target.virtualenv else None,
        apart=await chosen.variables(survey),
    )
    mixed = mixture(parts)
    decide.require(
        "nothing_mixed",
        [mixed] if mixed else [],
        summary="",
        next="finish the rollback: all of these must belong to one version",
    )


@pytest.mark.decides("hosts_agree")
async def test_hosts(survey: Survey, decide: Decide, target: Target, request: pytest.FixtureRequest) -> None:
    if len(target.hosts) < 2:
        not_applicable(request.node, "the target names one host")
    await survey.quiet()
    first, *others = survey.on_hosts
    problems = []
    for other in others:
        if target.code and (await first.code()).tree_sha256 != (await other.code()).tree_sha256:
            problems.append(f"{other.host.url} has other code than {first.host.url}")
        if target.virtualenv and await first.packages() != await other.packages():
            problems.append(f"{other.host.url} has other packages than {first.host.url}")
        if target.service and await first.image() != await other.image():
            problems.append(f"{other.host.url} runs another image than {first.host.url}")
        if target.environment and await first.variables() != await other.variables():
            problems.append(f"{other.host.url} has another environment than {first.host.url}")
    decide.require(
        "hosts_agree",
        problems,
        summary=f"{len(target.hosts)} hosts alike",
        next="roll the other host back as well",
    )


def start(status: ServiceStatus | None, decide: Decide, criterion: str) -> float | None:
    """When the process started; notes that nothing can be said where that is not known."""
    if status is None or status.started_at is None:
        decide.unknown(
            criterion,
            evidence=f"the start time of the process is not known: {status.detail if status else 'no service'}",
            next="see whether the service runs",
        )
        return None
    return status.started_at


def older(started: float, path: str, changed: float) -> list[str]:
    """What is wrong with a process that started before a file that it runs from was changed."""
    if changed <= started + START_S:
        return []
    then, since = differences.clock(changed), differences.clock(started)
    return [f"{path} was changed at {then}, the process is older: started {since}"]


def restarted(first: ServiceStatus, last: ServiceStatus) -> bool:
    """Whether two looks at a service saw two processes; the same pid may have come round again."""
    if first.pid != last.pid:
        return True
    if first.started_at is None or last.started_at is None:
        return False
    return abs(last.started_at - first.started_at) > _SAME_START_S
