"""The part `objects` of a snapshot: only what is good, complete once the manifest is there, usable by the action."""

import json
import os

import pytest

from rollback.clock import of_stamp
from rollback.errors import Refused
from rollback.site import site_of
from rollback.snapshots.objects import ObjectsPart
from target import load
from target.errors import StoreError
from target.object_writing import WritableStore
from target.redact import Redactor
from tests.rollback.objects.bucket import CORRUPT, DATED, GOOD, MISSING, NEWER, SHORT, sha256

pytestmark = pytest.mark.drill

FIRST, SECOND, THIRD = "20261124T140210Z", "20261124T150000Z", "20261125T140210Z"
EVERYTHING = GOOD | {NEWER: b"newer"}


@pytest.fixture
def good(bucket):
    """The bucket is whole, and there is no backup of it yet."""
    bucket.fill(bucket.live, EVERYTHING)
    bucket.fill(bucket.backup, {})
    return bucket


def part(bucket):
    target = load.load(bucket.target, environ=os.environ)
    return ObjectsPart(site_of(target, "local://", Redactor()))


def take(bucket, stamp):
    return part(bucket).take(stamp, lambda _: None)


def copies(bucket, name):
    return bucket.contents(bucket.backup, f"{name}/")


def manifest(bucket, name):
    return json.loads(bucket.contents(bucket.backup, ".manifests/")[f"{name}.json"])


def test_a_snapshot_is_a_whole_copy_with_its_manifest(good):
    before = good.contents(good.live)
    says = take(good, FIRST)
    assert copies(good, "2026-11-24") == EVERYTHING
    assert good.contents(good.live) == before
    assert "6 objects" in says
    assert f"{good.backup}/2026-11-24" in says
    told = manifest(good, "2026-11-24")
    assert told["bucket"] == good.live
    assert told["taken_at"] == of_stamp(FIRST)
    assert {item["key"]: item["sha256"] for item in told["objects"]} == {
        key: sha256(content) for key, content in EVERYTHING.items()
    }
    assert set(good.contents(good.backup, ".manifests/")) == {"2026-11-24.json"}
    assert good.client.stat_object(good.backup, f"2026-11-24/{MISSING}").content_type == "audio/ogg"


def test_the_action_goes_back_to_it(good):
    take(good, FIRST)
    good.client.remove_object(good.live, MISSING)
    good.put(good.live, CORRUPT, bytes(len(GOOD[CORRUPT])))
    code, out = good.run("objects")
    assert code == 0, out
    assert good.contents(good.live) == EVERYTHING
    assert "2026-11-24" in out
    good.put(good.backup, f"2026-11-24/{SHORT}", b"spoilt since")
    for key in (SHORT, MISSING):
        good.client.remove_object(good.live, key)
    code, out = good.run("objects")
    assert code == 0
    assert MISSING in good.contents(good.live)
    assert "1 object of 2026-11-24 not what its manifest says" in " ".join(out.split())
    assert SHORT not in good.contents(good.live)


def test_a_corrupt_object_is_taken_from_the_backup_before(good):
    """However many snapshots are taken while it is corrupt, the last good copy of an object is not lost."""
    take(good, FIRST)
    good.put(good.live, CORRUPT, bytes(len(GOOD[CORRUPT])))
    good.client.remove_object(good.live, MISSING)
    says = take(good, THIRD)
    assert "2 of them from earlier backups" in says
    assert part(good).prune(1) == ["2026-11-24"]
    assert copies(good, "2026-11-25") == EVERYTHING
    assert copies(good, "2026-11-24") == {}
    assert good.run("objects")[0] == 0
    assert good.contents(good.live) == EVERYTHING


def test_a_corrupt_object_that_no_backup_has_is_left_out(good):
    good.put(good.live, CORRUPT, bytes(len(GOOD[CORRUPT])))
    says = take(good, FIRST)
    assert f"1 object lost, for example {CORRUPT}" in says
    assert copies(good, "2026-11-24") == {
        key: content for key, content in EVERYTHING.items() if key != CORRUPT
    }


def test_a_second_one_of_a_day_stands_beside_the_first(good):
    take(good, FIRST)
    good.put(good.live, "tts/2026/11/24/later.ogg", b"later")
    assert "2026-11-24.150000" in take(good, SECOND)
    assert copies(good, "2026-11-24") == EVERYTHING
    assert "tts/2026/11/24/later.ogg" in copies(good, "2026-11-24.150000")
    with pytest.raises(StoreError, match="already"):
        take(good, SECOND)


def test_the_newest_ones_stay(good):
    for day in (21, 22, 23, 24):
        take(good, f"202611{day}T140210Z")
    good.put(good.backup, "2026-01-01/by/hand.ogg", b"not ours to remove")
    assert part(good).prune(2) == ["2026-11-22", "2026-11-21"]
    assert part(good).prune(2) == []
    assert set(good.contents(good.backup, ".manifests/")) == {"2026-11-23.json", "2026-11-24.json"}
    assert copies(good, "2026-01-01")


def test_one_that_fails_leaves_the_others_and_is_gone_on_with(good, monkeypatch):
    take(good, FIRST)
    whole = good.contents(good.backup)
    real = WritableStore.copy_from

    def copy_from(self, source, item, key):
        if key.endswith(SHORT):
            raise StoreError("the disk of the storage is full")
        real(self, source, item, key)

    with monkeypatch.context() as patch:
        patch.setattr(WritableStore, "copy_from", copy_from)
        with pytest.raises(StoreError, match="full"):
            take(good, THIRD)
    after = good.contents(good.backup)
    assert {key: after[key] for key in whole} == whole
    assert "2026-11-25.begun" in good.contents(good.backup, ".manifests/")
    good.client.remove_object(good.live, MISSING)
    assert good.run("objects")[0] == 0, "the complete one is used"
    good.put(good.backup, "2026-11-25/stray.ogg", b"left by the attempt")
    take(good, THIRD)
    assert copies(good, "2026-11-25") == EVERYTHING
    assert set(good.contents(good.backup, ".manifests/")) == {"2026-11-24.json", "2026-11-25.json"}


def test_a_torn_one_goes_when_a_newer_one_is_complete(good):
    good.put(good.backup, ".manifests/2026-11-23.begun", b"{}")
    good.put(good.backup, "2026-11-23/tts/a.ogg", b"x")
    take(good, FIRST)
    assert part(good).prune(3) == ["2026-11-23"]
    assert copies(good, "2026-11-23") == {}


def test_the_backup_of_another_environment_is_not_mixed_with_ours(good):
    for number in range(4):
        good.put(good.backup, f"{DATED}/tts/staging-{number}.ogg", b"x")
    before = good.inventory()
    with pytest.raises(Refused, match="another environment"):
        take(good, FIRST)
    assert good.inventory() == before


def test_what_it_lacks_is_named(good):
    assert part(good).lacks() == ""
    good.write_target(objects={"backup_bucket": None})
    assert part(good).lacks() == "objects.backup_bucket"


def test_an_earlier_snapshot_spares_reading(good, monkeypatch):
    """What was verified under this ETag and size need not be read again; every copy is."""
    take(good, FIRST)
    read = []
    real = WritableStore.sha256

    def sha256_(self, key, **more):
        read.append((self.bucket, key))
        return real(self, key, **more)

    monkeypatch.setattr(WritableStore, "sha256", sha256_)
    good.put(good.live, "tts/2026/11/24/later.ogg", b"later")
    take(good, THIRD)
    assert [key for bucket, key in read if bucket == good.live] == ["tts/2026/11/24/later.ogg"]
    assert len([key for bucket, key in read if bucket == good.backup]) == len(EVERYTHING) + 1
