"""Where the deployment stands against its record: what differs, and so what a rollback of which level would mend."""

import asyncio

import msgspec

from checks import chosen, differences
from checks.run import DeadService
from checks.survey import Survey
from target.errors import TargetError
from target.record import Record

# The start of a process is known to some hundredths of a second.
START_S = 0.03


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A line for each difference, by what it lies in; empty where nothing differs or nothing can be compared.

    `served` is a version that differs alone; otherwise it is told in `code`, or follows from the image.
    `revisions` are that of the checkout and the recorded one, None without git.
    """

    environment: list[str] = []
    stale: list[str] = []
    code: list[str] = []
    compiled: list[str] = []
    packages: list[str] = []
    image: list[str] = []
    served: list[str] = []
    revisions: tuple[str | None, str | None] = (None, None)


async def stands(survey: Survey, record: Record | None) -> Standing:
    """What differs from the record; what cannot be told now is taken as no difference."""
    looks = (environment(survey, record), stale(survey), code(survey, record), image(survey, record))
    others = (packages(survey, record), served(survey, record), compiled(survey))
    found = await asyncio.gather(*looks, *others, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, TargetError | DeadService):
            raise each
    lines = [[] if isinstance(each, BaseException) else each for each in found]
    if isinstance(found[4], TargetError):  # the host answers, so that it is the virtualenv that does not
        lines[4] = [str(found[4])]
    version = [] if lines[3] else lines[5]
    compared = record is not None and record.code is not None and survey.target.code is not None
    inside = [*version, *lines[2]] if lines[2] or not compared else []
    return Standing(
        environment=lines[0],
        stale=lines[1],
        code=inside,
        compiled=lines[6],
        image=lines[3],
        packages=lines[4],
        served=[] if inside else version,
        revisions=await _revisions(survey, record) if inside else (None, None),
    )


async def previous_useless(survey: Survey) -> str:
    """Why the previous environment is no way back; empty where it is one."""
    settings = survey.target.environment
    if settings is None:
        return "the target names no `environment`"
    try:
        previous = await survey.host.previous()
    except TargetError as error:
        return str(error)
    if previous.faults:
        return f"{settings.previous} cannot be used: {previous.faults[0]}"
    missing = [name for name in settings.required if name not in previous.variables]
    if missing:
        return f"{settings.previous} lacks {', '.join(missing)}"
    try:
        same = previous.variables == await survey.host.variables()
    except TargetError:
        same = False
    return f"{settings.previous} is equal to it" if same else ""


async def _revisions(survey: Survey, record: Record | None) -> tuple[str | None, str | None]:
    try:
        here = (await survey.host.code()).revision
    except TargetError:
        return None, None
    return here, record.code.revision if record and record.code else None


async def environment(survey: Survey, record: Record | None) -> list[str]:
    """Variables that differ from the record, and not on purpose."""
    return await chosen.environment(survey, record)


async def stale(survey: Survey) -> list[str]:
    """Whether the process is older than its environment file."""
    target = survey.target
    if target.environment is None or target.service is None:
        return []
    file, status = await survey.host.environment_file(), await survey.host.status()
    if status is None or status.started_at is None or file.changed <= status.started_at + START_S:
        return []
    return [f"{file.path} was changed after the process started"]


async def code(survey: Survey, record: Record | None) -> list[str]:
    """Files that differ from the record."""
    if record is None or record.code is None or survey.target.code is None:
        return []
    return differences.lines((await survey.host.code()).files, record.code.files, "files")


async def compiled(survey: Survey) -> list[str]:
    """Sources that are not what Python runs: it has compiled something else of them."""
    target = survey.target
    if target.code is None or target.virtualenv is None:
        return []
    found = await survey.host.bytecode()
    return [f"what Python has compiled of {path}, and runs, is something else" for path in found]


async def served(survey: Survey, record: Record | None) -> list[str]:
    """Another version than the recorded one."""
    if record is None or record.version is None:
        return []
    told = [health.version or "" for health in await survey.said()]
    return differences.served(told, record.version)


async def packages(survey: Survey, record: Record | None) -> list[str]:
    """Packages that differ from the record, and what else is wrong with the virtualenv that has them."""
    if record is None or record.packages is None or survey.target.virtualenv is None:
        return []
    wrong = differences.versions((await survey.host.packages())[1], record.packages)
    return wrong + (await survey.host.virtualenv()).problems(survey.target.virtualenv.path)


async def image(survey: Survey, record: Record | None) -> list[str]:
    """Another image than the recorded one."""
    if record is None or record.image_digest is None or survey.target.service is None:
        return []
    digest = await survey.host.image()
    runs = f"image {digest}" if digest else "no image"
    return [] if digest == record.image_digest else [f"runs {runs}, recorded {record.image_digest}"]
