"""The guard of a code rollback: whether the database is at the revision that the code to go back to needs."""

import re
import shlex

import msgspec

from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.database import UsageLog
from target.errors import DatabaseError
from target.record import Record

_ASK_S = 10.0
_MIGRATE_S = 600.0
_ONE = re.compile(r"[A-Za-z0-9_.-]+")


class Migration(msgspec.Struct, frozen=True):
    """A migration that lies between the database as it is (`here`) and the code to go back to (`there`)."""

    here: str
    there: str


def crossing(site: Site, record: Record) -> Migration | None:
    """The migration that a rollback of the code to this record crosses, None where it crosses none or cannot tell."""
    if record.database is None or record.database.revision is None or site.target.database is None:
        return None
    try:
        here = _revision(site)
    except DatabaseError:
        return None
    there = record.database.revision
    return None if here is None or here == there else Migration(here, there)


def judge(site: Site, record: Record) -> list[Finding]:
    """What the preflight of a code rollback says of the database's schema.

    Raises Refused when a migration lies between and the target does not say how to go back across it.
    """
    if site.target.database is None:
        return []
    if record.database is None or record.database.revision is None:
        return [Finding(f"{record.name} does not tell which schema its code needs", doubt=True)]
    try:
        here = _revision(site)
    except DatabaseError as error:
        return [Finding(f"whether a migration lies between cannot be told: {error}", doubt=True)]
    there = record.database.revision
    if here == there:
        return [Finding(f"the database is at revision {here}, as this code needs it", minor=True)]
    if here is None:
        return [Finding(f"the database does not tell its revision; this code needs {there}", doubt=True)]
    if site.target.database.downgrade is None:
        raise Refused(
            f"a migration lies between: the database is at revision {here}, and the code of {record.name} needs "
            f"{there}: say how to go back as `database.downgrade` and `database.upgrade`, or migrate by hand first; "
            "nothing was changed"
        )
    if not (_ONE.fullmatch(here) and _ONE.fullmatch(there)):
        raise Refused(
            f"the database is at revision {here}, and the code of {record.name} needs {there}: with several heads it "
            "has to be migrated by hand; nothing was changed"
        )
    return [
        Finding(
            f"the database goes from revision {here} to {there}: what only the newer schema holds is lost, unless "
            "`python -m rollback snapshot database` was run before",
            doubt=True,
        )
    ]


def steps(site: Site, migration: Migration | None) -> tuple[Step, ...]:
    """What comes before the switch of the code, while the code that knows the newer schema is there."""
    return () if migration is None else (Migrate(site, migration),)


class Migrate(Step):
    """Takes the schema to the revision of the code to go back to, by the target's own command."""

    name = "migrate back"
    timeout_s = _MIGRATE_S

    def __init__(self, site: Site, migration: Migration) -> None:
        self.site = site
        self.migration = migration

    @property
    def commands(self) -> tuple[str, ...]:
        return (shlex.join(self._command("downgrade", self.migration.there)),)

    @property
    def undoes(self) -> str:
        return shlex.join(self._command("upgrade", self.migration.here))

    def preflight(self) -> list[Finding]:
        return []  # `judge` has been asked

    def apply(self, course: Course, /) -> None:
        self._migrate("downgrade", self.migration.there, course)

    def verify(self) -> str:
        return self._verify(self.migration.there)

    def undo(self, course: Course, /) -> str:
        self._migrate("upgrade", self.migration.here, course)
        return self._verify(self.migration.here)

    def _migrate(self, way: str, revision: str, course: Course) -> None:
        if _revision(self.site) == revision:
            return
        command = self._command(way, revision)
        course.report(shlex.join(command))
        code = self.site.target.code
        ran = self.site.host.run(
            command, timeout_s=max(1.0, course.left()), cwd=None if code is None else code.checkout
        )
        if not ran.ok:
            last = tuple(
                self.site.redactor.text(line) for line in (ran.stderr or ran.stdout).splitlines()[-8:]
            )
            raise StepFailed(f"{shlex.join(command)} on {self.site.host.url}: status {ran.status}", last)

    def _verify(self, revision: str) -> str:
        here = _revision(self.site)
        if here != revision:
            raise StepFailed(f"the database is at revision {here}, not at {revision}")
        return f"the database is at revision {here}"

    def _command(self, way: str, revision: str) -> list[str]:
        settings = self.site.target.database
        template = None if settings is None else getattr(settings, way)
        if template is None:
            raise StepFailed(f"the target no longer says how to go there: add `database.{way}`")
        return [word.replace("{revision}", revision) for word in shlex.split(template)]


def _revision(site: Site) -> str | None:
    """The database's own revision. Raises DatabaseError."""
    assert site.target.database is not None
    log = UsageLog(site.target.database, timeout_s=_ASK_S)
    try:
        return log.revision()
    finally:
        log.close()
