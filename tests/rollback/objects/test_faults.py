"""The storage or the host goes away in the middle: what was begun is taken back or can be, nothing is lost."""

import pytest
from minio.deleteobjects import DeleteObject

from target.object_writing import WritableStore
from tests.rollback.faults import strike_everywhere
from tests.rollback.objects.bucket import CORRUPT, DATED, GOOD, NEWER, SHORT
from tests.severed import line_to

pytestmark = pytest.mark.drill

COPY = b"x-amz-copy-source"
SET_ASIDE, RESTORED = 2, 3
WHOLE = GOOD | {NEWER: b"newer"}


@pytest.fixture
def line(bucket):
    """How the action gets to the storage."""
    with line_to(int(bucket.s3.endpoint.rpartition(":")[2])) as made:
        bucket.write_target(objects={"endpoint": f"127.0.0.1:{made.port}"})
        yield made


@pytest.fixture
def before(bucket):
    return bucket.contents(bucket.live)


def run(bucket, *words):
    code, out = bucket.run("objects", *words)
    assert "Traceback" not in out
    assert "error inside this tool" not in out
    assert bucket.s3.secret_key not in out
    return code, " ".join(out.split())


def is_done_and_undone(bucket, before):
    code, out = run(bucket)
    assert code == 0, out
    assert bucket.contents(bucket.live) == before | GOOD
    assert bucket.contents(bucket.backup, f"{DATED}/") == GOOD
    code, out = run(bucket, "--undo")
    assert code == 0, out
    assert bucket.contents(bucket.live) == before


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("nth", range(1, SET_ASIDE + RESTORED + 1))
def test_the_storage_is_away_for_longer(bucket, line, before, nth, answered):
    """From the n-th copy on: of those that set aside, then of those that restore."""
    line.cut(*[COPY] * nth, answered=answered, for_good=True)
    code, out = run(bucket)
    assert line.struck
    assert f"http://127.0.0.1:{line.port}, bucket " in out
    assert "look at the server's log, then run this again" in out or "start the storage" in out
    line.mend()
    if nth <= SET_ASIDE:
        assert code == 1, out
        assert bucket.contents(bucket.live) == before
    else:
        assert code == 3, out
        assert "cannot be told" in out, "what state things are in"
        assert "--resume" in out
        code, out = run(bucket, "--resume")
        assert code == 1, out
        assert bucket.contents(bucket.live) == before
    is_done_and_undone(bucket, before)


@pytest.mark.parametrize("nth", [1, RESTORED])
def test_the_connection_is_lost_once(bucket, line, before, nth):
    line.cut(*[COPY] * (SET_ASIDE + nth), answered=True)
    code, out = run(bucket)
    assert line.struck
    assert code == 1, out
    assert "the connection broke off" in out
    assert bucket.contents(bucket.live) == before
    is_done_and_undone(bucket, before)


@pytest.mark.parametrize("answered", [False, True])
def test_the_storage_is_away_on_the_way_back(bucket, line, before, answered):
    code, out = run(bucket)
    assert code == 0, out
    line.cut(COPY, answered=answered, for_good=True)
    code, out = run(bucket, "--undo")
    assert line.struck
    assert code == 3, out
    line.mend()
    code, out = run(bucket, "--resume")
    assert code == 0, out
    assert bucket.contents(bucket.live) == before


class TestBucketGone:
    """Somebody removes a bucket with all that is in it, once some objects are copied to the live one."""

    def copies(self, bucket, name, number):
        """The action, the bucket of that name being removed on the way; exit code and what it said."""
        real = WritableStore.copy_from
        copied = []

        def copy_then_remove(store, source, item, key):
            real(store, source, item, key)
            copied.extend([key] if store.bucket == bucket.live else [])
            if len(copied) == number:
                patch.undo()
                remove(bucket, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rollback.actions.objects.stores.AT_ONCE", 1)
            patch.setattr(WritableStore, "copy_from", copy_then_remove)
            return run(bucket)

    def test_the_live_one(self, removable, before):
        bucket = removable
        code, out = self.copies(bucket, bucket.live, 1)
        assert code == 3, out
        assert "NoSuchBucket; correct the bucket's name in the target file, or restore the bucket" in out
        assert "--resume" in out
        assert bucket.contents(bucket.backup, f"{DATED}/") == GOOD
        kept = bucket.contents(bucket.backup, ".failed/")
        assert {key.partition("/")[2] for key in kept} == {CORRUPT, SHORT}
        bucket.client.make_bucket(bucket.live)
        code, out = run(bucket, "--resume")
        assert code == 1, out
        assert bucket.contents(bucket.live) == {key: before[key] for key in (CORRUPT, SHORT)}
        code, out = run(bucket)
        assert code == 0, out
        assert bucket.contents(bucket.live) == GOOD

    def test_the_one_with_the_backups(self, removable, before):
        """Once the missing object is back; nothing that could not be brought back is overwritten by then."""
        bucket = removable
        code, out = self.copies(bucket, bucket.backup, 1)
        assert code == 1, out
        assert f"bucket {bucket.backup}, object {DATED}/{CORRUPT}: it is gone; run this again" in out
        assert bucket.contents(bucket.live) == before
        code, out = run(bucket)
        assert code == 5, out
        assert f"has no bucket {bucket.backup}" in out

    def test_with_what_was_set_aside(self, removable, before):
        """The corrupt object of before is gone with it, and is asked for; the good one in its place stays meanwhile."""
        bucket = removable
        code, out = self.copies(bucket, bucket.backup, 2)
        assert code == 3, out
        assert "NoSuchBucket; correct the bucket's name in the target file, or restore the bucket" in out
        assert "of before: cannot be told" in out
        assert "--resume" in out
        bucket.client.make_bucket(bucket.backup)
        code, out = run(bucket, "--resume")
        assert code == 3, out
        (_, _, name) = out.partition("0 of 2 objects of before in ")
        assert f"{CORRUPT}, the object of before, is gone from {bucket.backup}: put it back there" in out
        found = bucket.contents(bucket.live)
        assert {key: found[key] for key in before} == before | {CORRUPT: GOOD[CORRUPT]}
        folder = name.split()[0].partition("/")[2]
        bucket.put(bucket.backup, f"{folder}{CORRUPT}", before[CORRUPT])
        code, out = run(bucket, "--resume")
        assert code == 1, out
        assert bucket.contents(bucket.live) == before


@pytest.fixture
def removable(bucket):
    """A bucket and its backup that are there again afterwards."""
    yield bucket
    for name in (bucket.live, bucket.backup):
        if not bucket.client.bucket_exists(name):
            bucket.client.make_bucket(name)


def remove(bucket, name):
    listed = bucket.client.list_objects(name, recursive=True)
    assert (
        list(bucket.client.remove_objects(name, [DeleteObject(str(each.object_name)) for each in listed]))
        == []
    )
    bucket.client.remove_bucket(name)


@pytest.mark.parametrize(("kind", "for_good"), [("connection lost", True), ("answer lost", False)])
def test_the_host_is_lost_at_every_call(bucket, before, kind, for_good):
    def is_new():
        assert bucket.contents(bucket.live) == before | GOOD

    def is_old():
        assert bucket.contents(bucket.live) == before

    strike_everywhere(
        bucket,
        ["objects"],
        kind,
        for_good=for_good,
        reset=bucket.reset,
        is_new=is_new,
        is_old=is_old,
    )
