"""The environment file as a part of a snapshot: what runs becomes the previous environment."""

from collections.abc import Callable

from rollback.errors import Refused
from rollback.readiness import started_after
from rollback.snapshots.part import Part
from target import environment
from target.description import Environment
from target.redact import secrets_of
from target.service import settled


class EnvironmentPart(Part):
    """`environment.file` becomes `environment.previous`; the one that was there is kept as `<previous>.<stamp>`."""

    name = "environment"

    def lacks(self) -> str:
        return "" if self.site.target.environment is not None else "environment"

    @property
    def _settings(self) -> Environment:
        assert self.site.target.environment is not None
        return self.site.target.environment

    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        host, file, previous = self.site.host, self._settings.file, self._settings.previous
        content = host.read(file)
        count = self._judge(content)
        there = host.facts(previous)
        if there is not None and host.read(previous) == content:
            return f"{previous} has these {count} variables already"
        beside = f"{previous}.next.{stamp}"
        report(f"{file} to {previous}")
        host.remove(beside)
        host.copy_beside(file, beside)
        if host.read(beside) != content:
            host.remove(beside)
            raise Refused(f"{file} on {host.url} was changed while it was copied; {previous} is as it was")
        if there is not None:
            host.copy_beside(previous, f"{previous}.{stamp}")
        host.rename(beside, previous)
        return f"{previous}, {count} variables"

    def prune(self, keep: int) -> list[str]:
        folder, _, name = self._settings.previous.rpartition("/")
        older = [each for each in self.site.host.list(folder or "/") if _is_kept(each, name)]
        # The previous environment itself is the newest of them.
        gone = sorted(older)[: max(0, len(older) - max(0, keep - 1))]
        for each in gone:
            self.site.host.remove(f"{folder}/{each}")
        return gone

    def _judge(self, content: bytes) -> int:
        """How many variables it has. Raises Refused where it is not whole, or not what the process runs with."""
        host, settings = self.site.host, self._settings
        stays = f"{settings.previous} is as it was"
        reading = environment.read(content, settings.reader)
        self.site.redactor.add(secrets_of(reading.variables))
        if reading.faults:
            raise Refused(f"{settings.file} on {host.url} is not whole: {reading.faults[0]}; {stays}")
        lacking = [name for name in settings.required if name not in reading.variables]
        if lacking:
            raise Refused(f"{settings.file} on {host.url} lacks {', '.join(lacking)}; {stays}")
        facts = host.facts(settings.file)
        if self.site.controller is not None and facts is not None:
            status = settled(self.site.controller)
            if not started_after(status, facts.changed):
                raise Refused(
                    f"{settings.file} on {host.url} was changed after the service started, so that another "
                    f"environment may be what runs: restart the service, then take it; {stays}"
                )
        return len(reading.variables)


def _is_kept(name: str, previous: str) -> bool:
    """Whether it is one that was kept: `<previous>.20261123T140210Z`."""
    stamp = name.removeprefix(f"{previous}.")
    return name != stamp and len(stamp) == 16 and stamp.endswith("Z") and stamp[:8].isdecimal()
