"""What a restored dump has that the live table lacks, found out without a change to either."""

from typing import TYPE_CHECKING, Any

import msgspec

from rollback.database import queries
from rollback.database.merge import Merge, known_type
from rollback.database.scratch import Scratch
from rollback.database.server import become

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    Connection = psycopg.Connection[tuple[Any, ...]]


class Difference(msgspec.Struct, frozen=True):
    """`missing` rows per day, `taken` of them whose id another row has; `doubled` rows that can be set aside.

    `undecided` requests have several rows of which none is told to be right; some of them are in `examples`.
    """

    missing: dict[str, int]
    taken: int
    doubled: int = 0
    undecided: int = 0
    examples: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are missing."""
        return sum(self.missing.values())


def difference(scratch: Scratch, merge: Merge, *, duplicates: bool) -> Difference:
    """Compares by keys; the rows of requests that are doubled by content. Raises DatabaseError."""
    from psycopg import sql

    keys, proof = sql.Identifier("pg_temp", "dump_keys"), sql.Identifier("pg_temp", "dump_proof")
    with merge.server.writing() as live:
        become(live, merge.work.owner)
        _copy_keys(scratch, live, merge)
        rows = live.execute(merge.fill(queries.MISSING_BY_DAY, staged=keys)).fetchall()
        found = Difference({row[0] or "": row[1] for row in rows}, sum(row[2] for row in rows))
        if duplicates:
            _copy_proof(scratch, live, merge)
            row = live.execute(merge.fill(queries.COUNT_JUDGED, proof=proof)).fetchone() or (0, 0, None)
            found = msgspec.structs.replace(
                found, doubled=row[0], undecided=row[1], examples=tuple(row[2] or ())
            )
        live.execute("ROLLBACK")
    return found


def _copy_keys(scratch: Scratch, live: "Connection", merge: Merge) -> None:
    from psycopg import sql

    types = dict(merge.work.types)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), known_type(types[name]))
        for name in ("id", "request_id", "created_at")
    )
    live.execute(sql.SQL("CREATE TEMPORARY TABLE dump_keys ({}) ON COMMIT DROP").format(columns))
    query = sql.SQL("SELECT id, request_id, created_at FROM {}").format(sql.Identifier(*merge.work.table))
    _stream(scratch, live, query, sql.SQL("pg_temp.dump_keys"))
    live.execute("ANALYZE pg_temp.dump_keys")


def _copy_proof(scratch: Scratch, live: "Connection", merge: Merge) -> None:
    """The dump's rows of the requests that are doubled, by content."""
    from psycopg import sql

    types = dict(merge.work.types)
    live.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE dump_proof (request_id {}, id bigint, content text) ON COMMIT DROP"
        ).format(known_type(types["request_id"]))
    )
    wanted = [row[0] for row in live.execute(merge.fill(queries.DOUBLED)).fetchall()]
    query = merge.fill(
        "SELECT DISTINCT ON (request_id) request_id, id, ROW({others})::text FROM {live} t "
        "WHERE request_id::text = ANY({wanted}) ORDER BY request_id, id",
        wanted=sql.Literal([str(each) for each in wanted]),
    )
    _stream(scratch, live, query, sql.SQL("pg_temp.dump_proof"))


def _stream(
    scratch: Scratch,
    live: "Connection",
    query: "sql.Composable",
    into: "sql.Composable",
) -> None:
    from psycopg import sql

    with (
        scratch.database.reading() as restored,
        restored.cursor() as source,
        live.cursor() as destination,
        source.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as out,
        destination.copy(sql.SQL("COPY {} FROM STDIN").format(into)) as into_live,
    ):
        for block in out:
            into_live.write(block)
