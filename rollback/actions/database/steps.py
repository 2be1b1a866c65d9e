"""The steps of the action `database`: stage the dump's rows, merge them in one transaction, prove the table."""

from rollback.action import Plan
from rollback.database.dump import Content, File, Tools
from rollback.database.merge import Merge, Work
from rollback.database.scratch import load
from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.database import TableFacts, UsageLog
from target.description import Database

_STAGE_S = 1200.0
_READ_S = 60.0


class DatabasePlan(Plan, frozen=True, kw_only=True):
    """`missing` rows are brought back and `doubled` ones set aside; `undecided` requests stay doubled.

    `day_rows` are the rows per day that the table has to have afterwards, at the least.
    """

    file: File
    content: Content
    tools: Tools
    work: Work
    system_identifier: str
    missing: int
    doubled: int
    undecided: int
    day_rows: dict[str, int]
    indexes: tuple[str, ...]
    named: str | None


class Stage(Step):
    """Copies the dump's rows into a table of the suite's own schema, beside the live one."""

    name = "stage the dump"
    timeout_s = _STAGE_S

    def __init__(self, site: Site, plan: DatabasePlan, merge: Merge) -> None:
        self.site = site
        self.plan = plan
        self.merge = merge

    @property
    def commands(self) -> tuple[str, ...]:
        source = f"{self.plan.tools.restore} -f - {self.plan.file.path}"
        if self.plan.file.kind == "plain":
            source = f"{'gzip -dc' if self.plan.file.packed else 'cat'} {self.plan.file.path}"
        name = ".".join(self.merge.side("staged").as_string().replace('"', "").split("."))
        return (f"{source} | {self.plan.tools.psql} -c 'COPY {name} FROM STDIN'",)

    @property
    def undoes(self) -> str:
        return "drop the staged rows"

    def preflight(self) -> list[Finding]:
        return []  # the survey has restored the dump

    def apply(self, course: Course, /) -> None:
        if course.again:
            self.merge.server.end_earlier()
        if self.merge.done() is not None:
            return
        into = self.merge.prepare()
        course.report(f"{self.plan.content.rows} rows")
        try:
            load(
                self.site.host,
                self.plan.file,
                self.plan.content,
                self.plan.tools,
                table=self.plan.work.table,
                into=into,
                server=self.merge.server,
            )
        except Refused as error:
            raise StepFailed(str(error).removesuffix("; nothing was changed")) from None
        rows = self.merge.seal(self.plan.file.sha256)
        if rows != self.plan.content.rows:
            raise StepFailed(
                f"{rows} rows came of the dump's {self.plan.content.rows}: it was changed meanwhile"
            )

    def verify(self) -> str:
        if self.merge.done() is not None:
            return "merged already"
        if self.merge.staged() != self.plan.file.sha256:
            raise StepFailed(
                "the staged rows are not there, or not whole: has the server crashed meanwhile? Run this again"
            )
        return f"{self.plan.content.rows} rows"

    def undo(self, _: Course, /) -> str:
        self.merge.server.end_earlier()
        self.merge.clear()
        return "the staged rows are gone"


class MergeRows(Step):
    """One transaction, which leaves a note of itself: that is how a later call knows whether it took effect."""

    name = "merge"
    timeout_s = _STAGE_S

    def __init__(self, plan: DatabasePlan, merge: Merge) -> None:
        self.plan = plan
        self.merge = merge

    @property
    def commands(self) -> tuple[str, ...]:
        work, table = self.plan.work, ".".join(self.plan.work.table)
        lines = ["BEGIN"]
        lines += [f"{' '.join(each.sql.split())}" for each in work.make]
        if self.plan.doubled:
            lines.append(f"DELETE {self.plan.doubled} rows of {table} that double a request, kept aside")
        lines.append(
            f"INSERT INTO {table} {self.plan.missing} rows that are missing; no row that is there is changed"
        )
        lines += [f"{' '.join(each.sql.split())}" for each in (*work.create, *work.grants)]
        if work.sequence is not None and (work.sequence.behind or work.make):
            lines.append(f"setval the id's sequence past {work.sequence.past}")
        return (*lines, "COMMIT")

    @property
    def undoes(self) -> str:
        if self.plan.work.make:
            return "the table is moved aside, so that it is missing again"
        return "take out the rows that were brought back, put back those that were set aside"

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, course: Course, /) -> None:
        if course.again:
            self.merge.server.end_earlier()
        self.merge.carry_out()

    def verify(self) -> str:
        noted = self.merge.done()
        if noted is None:
            raise StepFailed("the merge is not in effect")
        said = f"{noted.inserted} rows brought back"
        if noted.removed:
            said += f", {noted.removed} set aside"
        if self.plan.work.make:
            said = f"the table was made, {said}"
        elif self.plan.work.create:
            said += f", {', '.join(each.makes for each in self.plan.work.create)} made"
        return said

    def undo(self, _: Course, /) -> str:
        self.merge.server.end_earlier()
        return self.merge.take_back()


class ProveTable(Step):
    """Reads the table as the checks do: rows per day, duplicates, sequence, indexes."""

    name = "prove"
    settles = True

    def __init__(self, settings: Database, plan: DatabasePlan) -> None:
        self.settings = settings
        self.plan = plan

    @property
    def commands(self) -> tuple[str, ...]:
        return ("read the table again: rows per day, duplicates, sequence, indexes",)

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        return []

    def apply(self, _: Course, /) -> None:
        self.verify()

    def verify(self) -> str:
        facts = facts_of(self.settings)
        short = [
            f"{day} has {facts.rows_per_day.get(day, 0)} of {count}"
            for day, count in self.plan.day_rows.items()
            if facts.rows_per_day.get(day, 0) < count
        ]
        if short:
            raise StepFailed(f"rows are still missing: {', '.join(short[:3])}")
        if facts.duplicates and not self.plan.undecided:
            raise StepFailed(f"{facts.duplicates} rows repeat a request that has its row")
        if facts.sequence_next is not None and facts.sequence_next <= facts.max_id:
            raise StepFailed(
                f"the id's sequence gives {facts.sequence_next} next, and row {facts.max_id} is there"
            )
        gone = [name for name in self.plan.indexes if name not in facts.indexes]
        if gone:
            raise StepFailed(f"the table lacks {', '.join(gone)}")
        return f"{sum(facts.rows_per_day.values())} rows, no gap that the dump could fill"

    def undo(self, _: Course, /) -> str:
        return ""


def facts_of(settings: Database) -> TableFacts:
    """The table's facts, by the role that may restore it. Raises DatabaseError."""
    assert settings.admin_url is not None
    schema_table = settings.table if "." in settings.table else f"public.{settings.table}"
    log = UsageLog(Database(url=settings.admin_url, table=schema_table), timeout_s=_READ_S)
    try:
        return log.facts()
    finally:
        log.close()
