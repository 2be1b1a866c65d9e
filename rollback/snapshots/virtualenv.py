"""The virtualenv as a part of a snapshot: a whole copy that works in the place of the live one."""

from collections.abc import Callable

from rollback import folder, venv
from rollback.actions.virtualenv.action import backups
from rollback.errors import Refused
from rollback.snapshots.part import Part
from target.description import Virtualenv
from target.errors import TargetError

_COPY_S = 900.0


class VirtualenvPart(Part):
    """`virtualenv.path` is copied to `virtualenv.backup`; what was there becomes `<backup>.previous.<stamp>`."""

    name = "virtualenv"

    def lacks(self) -> str:
        settings = self.site.target.virtualenv
        if settings is None:
            return "virtualenv"
        return "" if settings.backup is not None else "virtualenv.backup"

    @property
    def _paths(self) -> tuple[str, str]:
        settings = self.site.target.virtualenv
        assert isinstance(settings, Virtualenv)
        assert settings.backup is not None
        return settings.path.rstrip("/"), settings.backup.rstrip("/")

    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        live, backup = self._paths
        host, beside = self.site.host, f"{backup}.next.{stamp}"
        report(f"cp -a {live} {backup}")
        try:
            folder.check_room(self.site, live, backup, backup.rpartition("/")[0] or "/")
            folder.copy(self.site, live, beside, timeout_s=_COPY_S)
            count = self._verify(live, beside)
        except TargetError:
            folder.remove(self.site, beside)
            raise
        if host.facts(backup) is not None:
            host.rename(backup, f"{backup}.previous.{stamp}")
        host.rename(beside, backup)
        return f"{backup}, {count} packages"

    def prune(self, keep: int) -> list[str]:
        gone = backups(self.site, self._paths[1])[max(1, keep) :]
        for path in gone:
            folder.remove(self.site, path, timeout_s=_COPY_S)
        return [path.rpartition("/")[2] for path in gone]

    def _verify(self, live: str, copy: str) -> int:
        """How many packages the copy has, as it would work in place of the live one. Raises Refused."""
        url = self.site.host.url
        if not folder.same(self.site, live, copy, code=True):
            raise Refused(f"{live} on {url} was changed while it was copied; the backup is as it was")
        found = venv.look(self.site, copy, live)
        wrong = venv.problems(found, self.site.records.expected())
        if wrong or found.found is None:
            raise Refused(f"a copy of {live} on {url} would not work: {wrong[0]}; the backup is as it was")
        return len(found.found.packages)
