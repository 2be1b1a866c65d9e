"""Where the deployment stands against its record: what differs, and so what a rollback of which level would mend."""

import msgspec

from checks import differences
from checks.survey import Survey
from target.record import Record

_CLOCK_S = 1.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A line for each difference, by what it lies in; empty where nothing differs or nothing can be compared."""

    environment: list[str] = []
    stale: list[str] = []
    code: list[str] = []
    packages: list[str] = []
    image: list[str] = []


async def environment(survey: Survey, record: Record | None) -> list[str]:
    """Variables that differ from the record."""
    if record is None or record.environment is None or survey.target.environment is None:
        return []
    current = await survey.host.environment()
    return differences.lines(current.values, record.environment.values, "variables")


async def stale(survey: Survey) -> list[str]:
    """Whether the process is older than its environment file."""
    target = survey.target
    if target.environment is None or target.service is None:
        return []
    file, status = await survey.host.environment_file(), await survey.host.status()
    if status is None or status.started_at is None or file.changed <= status.started_at + _CLOCK_S:
        return []
    return [f"{file.path} was changed after the process started"]


async def code(survey: Survey, record: Record | None) -> list[str]:
    """Files, version and revision that differ from the record."""
    if record is None:
        return []
    health = await survey.alive()
    found = []
    if record.version is not None and health.version != record.version:
        found.append(f"serves {health.version}, recorded {record.version}")
    if record.code is not None and survey.target.code is not None:
        found += differences.lines((await survey.host.code()).files, record.code.files, "files")
    return found


async def packages(survey: Survey, record: Record | None) -> list[str]:
    """Packages that differ from the record."""
    if record is None or record.packages is None or survey.target.virtualenv is None:
        return []
    return differences.versions((await survey.host.packages())[1], record.packages)


async def image(survey: Survey, record: Record | None) -> list[str]:
    """Another image than the recorded one."""
    if record is None or record.image_digest is None or survey.target.service is None:
        return []
    digest = await survey.host.image()
    return [] if digest == record.image_digest else [f"runs image {digest}, recorded {record.image_digest}"]
