"""The action `database`: bring back the rows that the usage log has lost, and mend what is wrong with the table."""

import msgspec

from rollback import clock
from rollback.action import Action, Survey
from rollback.actions.database import judgement
from rollback.actions.database.difference import Difference, difference
from rollback.actions.database.room import room
from rollback.actions.database.steps import DatabasePlan, MergeRows, ProveTable, Stage, facts_of
from rollback.database import dump, dumps
from rollback.database.dump import Content, File, Tools
from rollback.database.merge import Merge, Sequence, Work
from rollback.database.scratch import Scratch, restored
from rollback.database.server import SCHEMA, Live, Server
from rollback.database.statements import Statement
from rollback.errors import Refused
from rollback.journal import Story
from rollback.site import Site
from rollback.step import Finding, Step
from target.database import TableFacts, UsageLog
from target.description import Database
from target.errors import DatabaseError, TargetError
from target.record import Record


class Found(msgspec.Struct, frozen=True):
    """What the survey has read: the dump, and the database that it is for.

    `facts` are None where the table is missing.
    """

    file: File
    content: Content
    tools: Tools
    live: Live
    facts: TableFacts | None
    record: Record | None

    @property
    def owner(self) -> str:
        """The role that the table belongs to, or belonged to."""
        return self.live.owner or self.content.schema.owner or self.live.revisions_owner or self.live.user


class DatabaseAction(Action[DatabasePlan]):
    """`to` is a dump's path or name, or a date; without it the newest.

    Raises TargetError when the target does not say how to restore its database.
    """

    name = "database"
    level = 0
    plan_type = DatabasePlan
    restarts = False

    def __init__(self, site: Site, to: str | None = None, record: Record | None = None) -> None:
        self.site = site
        self.to = to
        self.record = record
        self.settings = settings_of(site)
        self._servers: dict[str, Server] = {}

    def survey(self, stamp: str, last: Story | None) -> Survey[DatabasePlan]:
        del last
        server = self._server(stamp)
        found, findings = self._look(server)
        with restored(server, self.site.host, found.file, found.content, found.tools, stamp) as scratch:
            plan, more = self._compare(server, stamp, found, scratch)
        findings += [*more, *self._room(found)]
        day = clock.minute(found.file.modified)
        name = found.file.path.rpartition("/")[2]
        works = found.facts is not None
        nothing = not (plan.missing or plan.doubled or plan.work.make or plan.work.create)
        behind = plan.work.sequence is not None and plan.work.sequence.behind and not plan.work.make
        return Survey(
            goal=f"{'.'.join(server.table)} from {name} ({day})",
            message=f"{plan.missing} rows of {name} into {'.'.join(server.table)}",
            plan=plan,
            findings=tuple(findings),
            already=self._already(plan, found, findings) if works and nothing and not behind else "",
        )

    def seal(self, plan: DatabasePlan) -> DatabasePlan:
        return plan

    def changes(self, plan: DatabasePlan) -> tuple[Step, ...]:
        merge = self._merge(plan)
        return (Stage(self.site, plan, merge), MergeRows(plan, merge))

    def proofs(self, plan: DatabasePlan) -> tuple[Step, ...]:
        return (ProveTable(self.settings, plan),)

    def changed(self, plan: DatabasePlan) -> float:
        del plan  # no process has to be younger than a row
        return 0.0

    def learn(self, plan: DatabasePlan) -> None:
        pass  # the target's own secrets are known

    def check_resume(self, plan: DatabasePlan, *, back: bool) -> None:
        if self.to is not None and self.to not in (plan.named, plan.file.path):
            raise Refused(
                f"an unfinished run goes to {plan.file.path}, not to {self.to}: end it first, with --resume or --undo"
            )
        self._same_database(plan)
        del back  # the transaction tells by itself whether it took effect

    def check_undo(self, plan: DatabasePlan) -> list[Finding]:
        self._same_database(plan)
        noted = self._merge(plan).done()
        if noted is None:
            return [Finding("the merge is not in effect")]
        return [Finding(f"{noted.inserted} rows were brought back, {noted.removed} set aside")]

    def goal_of(self, plan: DatabasePlan) -> str:
        return f"{'.'.join(plan.work.table)} from {plan.file.path.rpartition('/')[2]}"

    def state(self, plan: DatabasePlan) -> list[str]:
        merge = self._merge(plan)
        try:
            noted = merge.done()
            lines = [
                "the merge is not in effect: the table is as it was before"
                if noted is None
                else f"the merge is in effect: {noted.inserted} rows brought back, {noted.removed} set aside"
            ]
            if merge.staged() is not None:
                lines.append(f"the dump's rows are staged in the schema {SCHEMA}")
        except DatabaseError as error:
            return [f"the database cannot be asked: {error}"]
        return lines

    def _look(self, server: Server) -> tuple[Found, list[Finding]]:
        live = server.live()
        record = self.record or self.site.records.expected()
        findings = [judgement.same_cluster(live, record), self._same_place(live)]
        name = ".".join(server.table)
        judgement.kind_of_table(live, name)
        path = dumps.choose(self.site.host, self.settings.dumps, self.to)
        try:
            file = dump.look(self.site.host, path)
            tools = dump.tools_of(self.site.host, self.settings.tools)
            content = dump.read(self.site.host, file, tools, server.table)
        except Refused as error:
            older = dumps.older(self.site.host, self.settings.dumps, path) if self.to is None else ""
            raise Refused(f"{error}; the next older dump: {older}") if older else error from None
        judgement.versions(file, content, tools, live)
        facts = facts_of(self.settings) if live.kind else None
        recorded = record.database if record else None
        revision = facts.revision if facts else recorded.revision if recorded else None
        older_revision = judgement.revision(content, revision, self.site.records.all())
        age = clock.length(max(0.0, self.site.host.now() - file.modified))
        findings.append(Finding(f"{path}, {file.says}, {age} old, {content.rows} rows"))
        if older_revision is not None:
            findings.append(older_revision)
        found = Found(file, content, tools, live, facts, record)
        self._refuse_without_rights(server, found)
        return found, findings

    def _compare(
        self, server: Server, stamp: str, found: Found, scratch: Scratch
    ) -> tuple[DatabasePlan, list[Finding]]:
        recorded = found.record.database if found.record else None
        work = self._work(server, stamp, found, scratch)
        merge = Merge(server, work)
        if found.facts is None:
            self._rehearse(merge)
            differs = Difference(dict(scratch.facts.rows_per_day), 0)
        else:
            differs = difference(scratch, merge, duplicates=found.facts.duplicates > 0)
        if differs.undecided:
            work = msgspec.structs.replace(
                work, create=tuple(each for each in work.create if not _unique(each))
            )
        before = dict(found.facts.rows_per_day) if found.facts else {}
        after = {day: before.get(day, 0) + differs.missing.get(day, 0) for day in {*before, *differs.missing}}
        if differs.taken and work.sequence is None:
            raise Refused(
                f"{differs.taken} missing rows have an id that another row has by now, and the id has no sequence to "
                "give them another; nothing was changed"
            )
        plan = DatabasePlan(
            was_ready=True,
            file=found.file,
            content=found.content,
            tools=found.tools,
            work=msgspec.structs.replace(work, doubled=differs.doubled > 0),
            system_identifier=found.live.system_identifier,
            missing=differs.rows,
            doubled=differs.doubled,
            undecided=differs.undecided,
            day_rows={day: count for day, count in differs.missing.items() if day}
            if not differs.doubled
            else {},
            indexes=tuple(each.makes for each in work.create if each.index or _unique(each)),
            named=self.to,
        )
        days = {day: after[day] for day in plan.day_rows}
        plan = msgspec.structs.replace(plan, day_rows=days)
        return plan, _tell(plan, differs, judgement.lost(recorded, after))

    def _work(self, server: Server, stamp: str, found: Found, scratch: Scratch) -> Work:
        schema, live = found.content.schema, found.live
        recorded = found.record.database if found.record else None
        dumped = tuple((column.name, column.type) for column in scratch.facts.columns)
        copied = tuple((name, dict(dumped).get(name, "")) for name in found.content.columns)
        wanted = live.columns
        if live.kind is None and recorded is not None:
            wanted = tuple((each.name, each.type) for each in recorded.columns if each.name in dict(copied))
        revisions = ""
        if found.facts and found.content.revision not in (None, found.facts.revision):
            revisions = f" (its revision is {found.content.revision}, the database's {found.facts.revision})"
        judgement.columns(scratch.facts.columns, found.content.columns, wanted or copied, revisions)
        makes = schema.of("constraint", "foreign")
        if live.kind is None:
            make, create, grants = schema.of("table"), makes, schema.of("grant")
        elif revisions:
            make, create, grants = (), (), ()  # what a migration makes would be in its way
        else:
            make, grants = (), ()
            create = tuple(each for each in makes if each.makes and each.makes not in live.named)
            if recorded is not None:
                create = tuple(
                    each for each in create if not _indexed(each) or each.makes in recorded.indexes
                )
        return Work(
            run=stamp,
            table=server.table,
            owner=found.owner,
            types=copied,
            make=make,
            create=create,
            grants=grants,
            doubled=False,
            sequence=self._sequence(server, found, scratch),
        )

    def _refuse_without_rights(self, server: Server, found: Found) -> None:
        if not server.role_exists(found.owner):
            raise Refused(
                f"the table belonged to {found.owner}, and the cluster has no such role: create it first; nothing was "
                "changed"
            )
        lacking = server.lacking(found.live, found.owner)
        if lacking:
            raise Refused(
                f"{found.live.user} may not restore: as a superuser, {'; '.join(lacking)}; nothing was changed"
            )

    def _sequence(self, server: Server, found: Found, scratch: Scratch) -> Sequence | None:
        highest = max(scratch.facts.max_id, found.facts.max_id if found.facts else 0)
        if found.facts is None:
            named = scratch_sequence(scratch, server.table)
            return Sequence(*named, 1, False, highest) if named else None
        if found.live.sequence is None:
            return None
        from psycopg import sql

        with server.writing(found.live.owner) as connection:
            row = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(*found.live.sequence))
            ).fetchone()
        return Sequence(*found.live.sequence, row[0], row[1], highest) if row else None

    def _rehearse(self, merge: Merge) -> None:
        try:
            merge.rehearse()
        except DatabaseError as error:
            raise Refused(
                f"the table cannot be made again as the dump has it: {error}; nothing was changed"
            ) from None

    def _already(self, plan: DatabasePlan, found: Found, findings: list[Finding]) -> str:
        recorded = found.record.database if found.record else None
        lost = judgement.lost(recorded, found.facts.rows_per_day if found.facts else {})
        if lost:
            raise Refused(
                f"{found.file.path} has no row that is missing, and days are short of the record: "
                f"{', '.join(lost[:3])}; these rows are in another dump (--to DUMP or DATE), or lost; nothing was "
                "changed"
            )
        doubts = [finding.says for finding in findings if finding.doubt and plan.undecided]
        return f"every row of {found.file.path} is in {'.'.join(plan.work.table)}" + "".join(
            f"; {doubt}" for doubt in doubts
        )

    def _room(self, found: Found) -> list[Finding]:
        return room(self.site, self.settings, found.live, found.content.bytes)

    def _same_place(self, live: Live) -> Finding:
        """Both URLs have to lead to one database. Raises Refused."""
        log = UsageLog(self.settings)
        try:
            name, identifier = log.whereabouts()
        except DatabaseError as error:
            return Finding(f"`database.url` cannot be asked: {error}", doubt=True)
        finally:
            log.close()
        if name != live.database or identifier not in (None, live.system_identifier):
            raise Refused(
                f"`database.admin_url` leads to another database ({live.database} of cluster {live.system_identifier}) "
                f"than `database.url` ({name} of {identifier or 'an unknown one'}): correct one of them; nothing was "
                "changed"
            )
        return Finding(f"`database.url` and `database.admin_url` are both {name}", minor=True)

    def _same_database(self, plan: DatabasePlan) -> None:
        live = self._server(plan.work.run).live()
        if live.system_identifier != plan.system_identifier:
            raise Refused(
                f"this is another PostgreSQL cluster ({live.system_identifier}) than the run began with "
                f"({plan.system_identifier}); nothing was changed"
            )

    def _merge(self, plan: DatabasePlan) -> Merge:
        return Merge(self._server(plan.work.run), plan.work)

    def _server(self, stamp: str) -> Server:
        return self._servers.setdefault(stamp, Server(self.settings, stamp))


def settings_of(site: Site) -> Database:
    """The database with what restoring needs. Raises TargetError."""
    place = site.target.source or site.target.name
    settings = site.target.database
    if settings is None:
        raise TargetError(f"{place}: no `database`: name its url, admin_url and dumps")
    if settings.admin_url is None:
        raise TargetError(
            f"{place}: no `database.admin_url`: name a role that may create a scratch database and write the table"
        )
    return settings


def scratch_sequence(scratch: Scratch, table: tuple[str, str]) -> tuple[str, str] | None:
    """Schema and name of the id's sequence in the restored dump."""
    from psycopg import sql

    with scratch.database.reading() as connection:
        row = connection.execute(
            "SELECT n.nspname, s.relname FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace "
            "WHERE s.oid = to_regclass(pg_get_serial_sequence(%s, 'id'))",
            (sql.Identifier(*table).as_string(connection),),
        ).fetchone()
    return (row[0], row[1]) if row else None


def _tell(plan: DatabasePlan, differs: Difference, lost: list[str]) -> list[Finding]:
    days = sorted(day for day in differs.missing if day)
    span = f" ({days[0]}{f' to {days[-1]}' if len(days) > 1 else ''})" if days else ""
    findings = [Finding(f"{plan.missing} rows are missing{span}; the dump restores")]
    if differs.taken:
        findings.append(
            Finding(f"{differs.taken} of them get a new id, since another row has theirs", doubt=True)
        )
    if plan.doubled:
        findings.append(Finding(f"{plan.doubled} rows double a request and are set aside"))
    if plan.work.make:
        findings.append(Finding("the table is missing and is made again"))
        others = plan.content.schema.others
        if others:
            findings.append(Finding(f"not made again: {', '.join(others)}", doubt=True))
    elif plan.work.create:
        names = ", ".join(each.makes for each in plan.work.create)
        findings.append(Finding(f"{names} made again; writes wait while that is built"))
    if plan.undecided:
        findings.append(
            Finding(
                f"{plan.undecided} requests have rows that differ, and the dump proves none of them right: decide by "
                f"hand ({', '.join(differs.examples)})",
                doubt=True,
            )
        )
    if lost:
        findings.append(
            Finding(f"rows that this dump does not have stay missing: {', '.join(lost[:3])}", doubt=True)
        )
    return findings


def _unique(statement: Statement) -> bool:
    return statement.sql.startswith("CREATE UNIQUE") or any(
        word in statement.sql for word in (" PRIMARY KEY", " UNIQUE")
    )


def _indexed(statement: Statement) -> bool:
    """Whether an index comes of it, which a record would name."""
    return statement.index or _unique(statement)
