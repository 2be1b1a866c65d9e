"""The SQL of a merge. {live} is the usage log, {staged} the rows of the dump, {columns} those that the dump has."""

# ruff: noqa: S608  (constants put together; every name in them is quoted by psycopg)

from typing import LiteralString

# Rows of the dump that the live table has not: by request; a row without one is known by its id.
MISSING: LiteralString = """
SELECT DISTINCT ON (s.request_id, CASE WHEN s.request_id IS NULL THEN s.id END) s.*,
  EXISTS (SELECT FROM {live} t WHERE t.id = s.id) AS taken
FROM {staged} s
WHERE NOT EXISTS (SELECT FROM {live} t WHERE t.request_id = s.request_id)
  AND (s.request_id IS NOT NULL OR NOT EXISTS (SELECT FROM {live} t WHERE t.id = s.id))
ORDER BY s.request_id, CASE WHEN s.request_id IS NULL THEN s.id END, s.id
"""

MISSING_BY_DAY: LiteralString = (
    "SELECT to_char(created_at, 'YYYY-MM-DD'), count(*), count(*) FILTER (WHERE taken) FROM ("
    + MISSING
    + ") AS missing GROUP BY 1 ORDER BY 1"
)

# Requests with several rows: which of them goes. One stays: that of the dump, else the first of rows that are alike.
DOUBLED: LiteralString = """
SELECT request_id FROM {live} WHERE request_id IS NOT NULL GROUP BY request_id HAVING count(*) > 1
"""
JUDGED: LiteralString = (
    """
WITH doubled AS (
  SELECT t.ctid AS place, t.id, t.request_id, ROW({others})::text AS content
  FROM {live} t WHERE t.request_id IN ("""
    + DOUBLED
    + """)
), judged AS (
  SELECT d.place, d.request_id,
    min(d.content) OVER same = max(d.content) OVER same OR bool_or(p.content = d.content) OVER same AS told,
    row_number() OVER (PARTITION BY d.request_id ORDER BY
      coalesce(d.content = p.content, false) DESC, coalesce(d.id = p.id, false) DESC, d.id, d.place) AS number
  FROM doubled d LEFT JOIN {proof} p USING (request_id)
  WINDOW same AS (PARTITION BY d.request_id)
)
"""
)
COUNT_JUDGED: LiteralString = (
    JUDGED
    + """
SELECT count(*) FILTER (WHERE told AND number > 1), count(DISTINCT request_id) FILTER (WHERE NOT coalesce(told, false)),
  (array_agg(DISTINCT request_id::text) FILTER (WHERE NOT coalesce(told, false)))[1:3]
FROM judged"""
)
PROOF: LiteralString = (
    """(
  SELECT DISTINCT ON (request_id) request_id, id, ROW({others})::text AS content FROM {staged} t
  WHERE request_id IN ("""
    + DOUBLED
    + """) ORDER BY request_id, id
)"""
)
REMOVE: LiteralString = (
    JUDGED
    + """, gone AS (
  DELETE FROM {live} t USING judged j WHERE t.ctid = j.place AND j.told AND j.number > 1 RETURNING {own}
)
INSERT INTO {removed} ({columns}) SELECT {columns} FROM gone"""
)
INSERT: LiteralString = (
    """
WITH missing AS ("""
    + MISSING
    + """), added AS (
  INSERT INTO {live} ({columns}) OVERRIDING SYSTEM VALUE
  SELECT {values} FROM missing ORDER BY id
  RETURNING id, request_id
)
INSERT INTO {inserted} SELECT id, request_id::text FROM added"""
)
STILL_MISSING: LiteralString = "SELECT count(*) FROM (" + MISSING + ") AS missing"

TAKE_OUT: LiteralString = """
DELETE FROM {live} t USING {inserted} i
WHERE t.id = i.id AND t.request_id::text IS NOT DISTINCT FROM i.request_id
"""
PUT_BACK: LiteralString = (
    "INSERT INTO {live} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {removed}"
)
