"""What was recorded is still there, rows and audio belong together, and what is written now arrives."""

import pytest

from checks import advice, differences, reconcile
from checks.observation import Decide
from checks.surroundings import Surroundings
from checks.survey import Survey
from checks.survey_data import MOST_ROWS, Bucket
from target.description import Target
from target.errors import TableMissing
from target.record import Record

pytestmark = [pytest.mark.post_rollback, pytest.mark.data]

_NO_BUCKET = "the bucket is not there"


def missing(bucket: Bucket, decide: Decide, criterion: str) -> bool:
    """Note that nothing can be said of a bucket that is not there."""
    if not bucket.there:
        decide.unknown(criterion, evidence=_NO_BUCKET, next="mend bucket_exists first")
    return not bucket.there


@pytest.mark.decides("bucket_exists")
@pytest.mark.needs("objects")
async def test_bucket(survey: Survey, decide: Decide, target: Target) -> None:
    assert target.objects is not None
    bucket = await survey.data.bucket()
    decide.require(
        "bucket_exists",
        [] if bucket.there else [f"{target.objects.endpoint} has no bucket {target.objects.bucket}"],
        summary=f"{len(bucket.objects)} objects",
        next=f"is it the bucket that the service uses? make it again, then {advice.objects(target)}",
    )


@pytest.mark.decides("objects_match_record")
@pytest.mark.needs("objects", "record.objects")
async def test_objects(survey: Survey, decide: Decide, record: Record, target: Target) -> None:
    assert record.objects is not None
    bucket = await survey.data.bucket()
    if missing(bucket, decide, "objects_match_record"):
        return
    decide.require(
        "objects_match_record",
        await survey.data.against(record.objects),
        summary=f"{len(record.objects)} objects as recorded",
        next=advice.objects(target),
        n=len(record.objects),
    )


@pytest.mark.decides("table_matches_record")
@pytest.mark.needs("database", "record.database")
async def test_table(survey: Survey, decide: Decide, record: Record, target: Target) -> None:
    assert record.database is not None
    try:
        facts = await survey.data.table()
    except TableMissing as error:
        decide.failed("table_matches_record", False, evidence=str(error), next=advice.database(target))
        return
    decide.require(
        "table_matches_record",
        differences.table(record.database, facts),
        summary=f"revision {facts.revision}",
        next=advice.database(target) if not differences.columns(record.database, facts) else advice.MIGRATE,
    )


@pytest.mark.decides("rows_match_record")
@pytest.mark.needs("database", "record.database")
async def test_rows(survey: Survey, decide: Decide, record: Record, target: Target) -> None:
    assert record.database is not None
    days = record.database.rows_per_day
    decide.require(
        "rows_match_record",
        differences.rows(record.database, await survey.data.table()),
        summary=f"{sum(days.values())} rows of {len(days)} days",
        next=advice.rows(target),
        n=len(days),
    )


@pytest.mark.decides("no_duplicate_rows", "sequence_ahead")
@pytest.mark.needs("database")
async def test_table_is_sound(survey: Survey, decide: Decide, target: Target) -> None:
    facts = await survey.data.table()
    decide.require(
        "no_duplicate_rows",
        [f"{facts.duplicates} rows repeat a request that has its row"] if facts.duplicates else [],
        summary="no duplicates",
        next=f"a restore was run twice: {advice.database(target)}",
    )
    if facts.sequence_next is None:
        decide.unknown(
            "sequence_ahead",
            evidence="the sequence of the id cannot be read",
            next="grant USAGE, SELECT on it",
        )
        return
    behind = facts.sequence_next <= facts.max_id
    decide.require(
        "sequence_ahead",
        [f"it gives {facts.sequence_next} next, but row {facts.max_id} is there: inserts will fail"]
        if behind
        else [],
        summary="",
        next=advice.database(target),
    )


@pytest.mark.decides("database_writable")
@pytest.mark.needs("database")
async def test_database_takes_writes(survey: Survey, decide: Decide) -> None:
    decide.require(
        "database_writable",
        [] if await survey.data.writable() else ["the server is read-only or in recovery"],
        summary="",
        next="is this the standby? promote it, or point the service at the primary",
    )


@pytest.mark.decides("rows_have_objects")
@pytest.mark.needs("database", "objects")
async def test_rows_have_their_audio(survey: Survey, decide: Decide, target: Target) -> None:
    bucket = await survey.data.bucket()
    if missing(bucket, decide, "rows_have_objects"):
        return
    log, owed, contents = await survey.data.log(), await survey.data.owed(), await survey.data.contents()
    gone = reconcile.missing_audio(owed, bucket.objects)
    problems = [f"{len(gone)} rows without their audio, for example {gone[-1].audio_key}"] if gone else []
    problems += reconcile.wrong_size(owed, bucket.objects) + reconcile.wrong_content(contents)
    scope = "" if log.complete else f" (the newest {MOST_ROWS})"
    decide.require(
        "rows_have_objects",
        problems,
        summary=f"{len(owed)} rows{scope}, {len(contents)} recordings read back",
        next=f"{advice.objects(target)}  # what is newer than every backup is lost, and named there",
        n=len(owed),
    )


@pytest.mark.decides("objects_have_rows")
@pytest.mark.needs("database", "objects")
async def test_audio_has_its_row(
    survey: Survey, decide: Decide, surroundings: Surroundings, target: Target
) -> None:
    bucket = await survey.data.bucket()
    if missing(bucket, decide, "objects_have_rows"):
        return
    log = await survey.data.log()
    known = {item.key for item in (await surroundings.record()).objects or ()}
    orphans = reconcile.orphans(log.rows, bucket.objects, known, complete=log.complete)
    decide.require(
        "objects_have_rows",
        [f"{len(orphans)} recordings without a row, for example {orphans[0].key}"] if orphans else [],
        summary="",
        next=advice.rows(target),
        n=len(bucket.objects),
    )


@pytest.mark.decides("writes_recorded")
@pytest.mark.needs("database.mark_column", "api.headers.mark")
async def test_what_is_written_arrives(survey: Survey, decide: Decide, target: Target) -> None:
    before, log = await survey.data.newest_before(), await survey.data.log()
    written, own = survey.asking.written, survey.data.own(log, before)
    problems = []
    if not written:
        decide.unknown("writes_recorded", evidence=advice.NOTHING_SERVED, next=advice.SUCCESS_FIRST)
        return
    if len(own) < len(written):
        problems.append(f"{len(written) - len(own)} of {len(written)} acknowledged requests have no row")
    if target.objects is not None:
        bucket = await survey.data.bucket()
        kept = sum(row.audio_key in bucket.objects for row in own)
        spoken = sum(sample.operation == "tts" for sample in written)
        if kept < spoken:
            problems.append(f"{spoken - kept} of {spoken} spoken texts are not in the bucket")
    decide.require(
        "writes_recorded",
        problems,
        summary=f"{len(own)} of {len(written)} own requests found again",
        next="see the log of the service for what it could not write",
        n=len(written),
    )
