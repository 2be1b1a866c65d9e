"""Whether a dump fits the database that it is to mend: each reason against it, in words."""

from collections.abc import Sequence

from rollback.database.dump import Content, File, Tools
from rollback.database.server import Live
from rollback.errors import Refused
from rollback.step import Finding
from target.database import Column
from target.record import DatabaseRecord, Record

_NEEDED = ("id", "request_id", "created_at")


def same_cluster(live: Live, record: Record | None) -> Finding:
    """Refused: the record was taken of another cluster."""
    recorded = record.database.system_identifier if record and record.database else None
    if record is None or recorded is None:
        return Finding("no record tells which PostgreSQL cluster this has to be", doubt=True)
    if recorded != live.system_identifier:
        raise Refused(
            f"this is another PostgreSQL cluster than that of the record {record.name}: its system identifier is "
            f"{live.system_identifier}, recorded is {recorded}: correct `database.admin_url`, or record this one; "
            "nothing was changed"
        )
    return Finding(f"the cluster of the record {record.name}", minor=True)


def kind_of_table(live: Live, name: str) -> None:
    """Refused: not a plain table."""
    kinds = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}
    if live.kind in kinds:
        raise Refused(
            f"{name} is {kinds[live.kind]}, and only a plain table is merged into; nothing was changed"
        )


def versions(file: File, content: Content, tools: Tools, live: Live) -> None:
    """Refused: the programs are older than what they have to deal with."""
    if tools.psql_version is None:
        raise Refused(
            f"there is no {tools.psql} on the host: install PostgreSQL's client programs, or name their folder as "
            "`database.tools`; nothing was changed"
        )
    if file.kind != "custom" or tools.restore_version is None:
        return
    for version, what in (
        (live.version, "the server"),
        (content.server, "the dump's server"),
        (content.client, "the pg_dump that made the dump"),
    ):
        if version is not None and tools.restore_version < version:
            raise Refused(
                f"{tools.restore} is version {tools.restore_version}, older than {what}, version {version}: name newer "
                "programs as `database.tools`; nothing was changed"
            )


def revision(content: Content, live_revision: str | None, records: Sequence[Record]) -> Finding | None:
    """Refused: the dump is of a revision that is newer than the database's, or unknown. A finding where it is older."""
    dumped = content.revision
    if dumped is None:
        return Finding("the dump does not tell its schema's revision: its columns have to do", doubt=True)
    if live_revision is None or dumped == live_revision:
        return None
    known = [record.database.revision for record in reversed(records) if record.database]  # oldest first
    here = known.index(live_revision) if live_revision in known else len(known)
    if dumped not in known or known.index(dumped) > here:
        why = "which no record knows" if dumped not in known else "which is newer"
        raise Refused(
            f"the dump's schema is ahead: its revision is {dumped}, {why}, and the database is at {live_revision}: "
            "take an older dump (--to DUMP), or bring the schema there first; nothing was changed"
        )
    return Finding(
        f"the dump is of revision {dumped}, and the database is at {live_revision}: indexes and constraints are left "
        "to the migration",
        doubt=True,
    )


def columns(
    dumped: Sequence[Column], copied: Sequence[str], wanted: Sequence[tuple[str, str]], revisions: str
) -> None:
    """Refused: other columns than the live table has (or, where that is missing, the record)."""
    lacking = [name for name in _NEEDED if name not in copied]
    if lacking:
        raise Refused(
            f"the dump's table has no column {' and no '.join(lacking)}, without which rows cannot be told apart: is "
            "it the usage log? Nothing was changed"
        )
    there = {column.name: column.type for column in dumped if column.name in copied}
    here = dict(wanted)
    fewer = [name for name in here if name not in there]
    more = [name for name in there if name not in here]
    other = [name for name in there if name in here and here[name] != there[name]]
    if not (fewer or more or other):
        return
    said = []
    if more:
        said.append(f"it has {', '.join(more)}, which the database lacks (schema ahead)")
    if fewer:
        said.append(f"it lacks {', '.join(fewer)} (older schema)")
    said += [f"{name} is {there[name]} in it, here {here[name]}" for name in other]
    raise Refused(
        f"the dump's table is of another schema: {'; '.join(said)}{revisions}: take a dump of this schema "
        "(--to DUMP); nothing was changed"
    )


def lost(recorded: DatabaseRecord | None, after: dict[str, int]) -> list[str]:
    """Days that stay short of what was recorded, in words; `after` is rows per day once the dump is merged."""
    if recorded is None:
        return []
    return [
        f"{day}: {count - after.get(day, 0)} of {count}"
        for day, count in sorted(recorded.rows_per_day.items())
        if after.get(day, 0) < count
    ]
