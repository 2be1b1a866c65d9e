"""The dump of the usage log: the part `database` of a snapshot."""

import shlex
from collections.abc import Callable

from rollback.database import dump, dumps, reading
from rollback.database.scratch import restored
from rollback.database.server import Server
from rollback.errors import StepFailed
from rollback.snapshots.part import Part
from target.host import Host

_DUMP_S = 1200.0


class DatabasePart(Part):
    """A dump in custom format, under the name that the action looks for; it has to restore before it gets it."""

    name = "database"

    def lacks(self) -> str:
        settings = self.site.target.database
        if settings is None:
            return "database"
        lacking = [key for key in ("admin_url", "dumps") if getattr(settings, key) is None]
        return f"database.{lacking[0]}" if lacking else ""

    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        settings = self.site.target.database
        assert settings is not None
        assert settings.dumps is not None
        host, server = self.site.host, Server(settings, stamp)
        tools = dump.tools_of(host, settings.tools)
        live = server.live()
        if tools.dump_version is None or tools.dump_version < live.version:
            has = "is not there" if tools.dump_version is None else f"is version {tools.dump_version}"
            raise StepFailed(
                f"{tools.dump} on {host.url} {has}, and the server is version {live.version}: name newer programs as "
                "`database.tools`"
            )
        path = dumps.named(settings.dumps, stamp)
        beside = f"{path}.next.{stamp}"
        host.make_folder(path.rpartition("/")[0])
        try:
            report(f"pg_dump of {'.'.join(server.table)}")
            self._dump(server, tools, beside)
            file = dump.look(host, beside)
            content = dump.read(host, file, tools, server.table)
            report(f"restoring {content.rows} rows to see that it is whole")
            with restored(server, host, file, content, tools, stamp) as scratch:
                days = scratch.facts.rows_per_day
            self._put(host, beside, path, stamp)
        finally:
            host.remove(beside)
        return f"{path}, {content.rows} rows of {len(days)} days, restored to see that it is whole"

    def prune(self, keep: int) -> list[str]:
        settings = self.site.target.database
        assert settings is not None
        assert settings.dumps is not None
        old = dumps.found(self.site.host, settings.dumps)[max(keep, 1) :]
        for each in old:
            self.site.host.remove(each.path)
        return [each.path.rpartition("/")[2] for each in old]

    def _dump(self, server: Server, tools: dump.Tools, path: str) -> None:
        from psycopg import sql

        schema, _ = server.table
        words = []
        for table in (server.table, (schema, "alembic_version")):
            words += ["-t", sql.Identifier(*table).as_string()]
        ran = self.site.host.shell(
            reading.DUMP, tools.dump, path, *words, timeout_s=_DUMP_S, stdin=server.service_file()
        )
        if not ran.ok:
            said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
            raise StepFailed(f"{shlex.quote(tools.dump)} on {self.site.host.url}: {said}")

    @staticmethod
    def _put(host: Host, beside: str, path: str, stamp: str) -> None:
        """Where the name tells the day alone, an earlier dump of the day is moved aside first."""
        if host.facts(path) is not None:
            host.rename(path, f"{path}.replaced.{stamp}")
        host.rename(beside, path)
