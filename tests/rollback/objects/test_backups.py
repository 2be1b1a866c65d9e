"""Which folders of the backup bucket are backups, for any pattern of dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.actions.objects.backups import FLAT, backups, choose, listing, mark_of, name_of
from rollback.errors import Refused
from target.objects import ObjectFacts

PATTERNS = ("%Y-%m-%d/", "%Y/%m/%d/", "voice_%Y%m%d/", "daily/%Y-%m-%d/files/")
NOW = 1_795_615_330.0  # 2026-11-25 14:02:10 UTC


class Fake:
    """A bucket of these keys."""

    server, bucket = "http://s3", "backup"

    def __init__(self, keys):
        self.keys = sorted(keys)

    def list(self, prefix=""):
        return [ObjectFacts(key, 1, "e", 1.0) for key in self.keys if key.startswith(prefix)]

    def folders(self, prefix=""):
        below = [key.removeprefix(prefix) for key in self.keys if key.startswith(prefix)]
        folders = {f"{prefix}{rest.partition('/')[0]}/" for rest in below if "/" in rest}
        objects = [ObjectFacts(prefix + rest, 1, "e", 1.0) for rest in below if "/" not in rest]
        return tuple(sorted(folders)), tuple(objects)


# Drawing is no work; on a busy machine it may still take long.
@given(st.sampled_from(PATTERNS), st.lists(st.integers(0, 4_000_000_000), max_size=4), st.booleans())
def test_what_is_named_by_time_is_found_by_time(pattern, moments, flat):
    names = {name_of(pattern, moment) for moment in moments}
    keys = [f"{name}/tts/a.ogg" for name in names] + ["tts/2026/11/20/a.ogg"] * flat
    found = backups(Fake(keys), pattern)
    assert {each.name for each in found} == names | ({FLAT} if flat else set())
    dated = [each for each in found if each.name != FLAT]
    assert dated == sorted(dated, key=lambda each: each.dated, reverse=True)
    assert all(each.made == "by hand" for each in found)
    for each in dated:
        assert list(listing(Fake(keys), each, pattern)) == ["tts/a.ogg"]
    if flat:
        assert list(listing(Fake(keys), found[-1], pattern)) == ["tts/2026/11/20/a.ogg"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_second_of_a_day_is_the_newer_one(pattern):
    first, second = name_of(pattern, NOW), name_of(pattern, NOW, second=True)
    found = backups(Fake([f"{first}/a", f"{second}/a"]), pattern)
    assert [each.name for each in found] == [second, first]


def test_what_the_suite_leaves_is_no_backup():
    store = Fake(
        [".failed/20261125T140210Z/tts/a.ogg", ".manifests/2026-11-24.json", "2026-13-45/a", "note.txt"]
    )
    found = backups(store, "%Y-%m-%d/")
    assert [each.name for each in found] == [FLAT]
    assert sorted(listing(store, found[0], "%Y-%m-%d/")) == ["2026-13-45/a", "note.txt"]


def test_one_that_was_begun_is_not_chosen():
    keys = ["2026-11-24/a", "2026-11-25/a", mark_of("2026-11-25")]
    found = backups(Fake(keys), "%Y-%m-%d/")
    assert [each.name for each in choose(found, None, "the bucket")] == ["2026-11-24"]
    with pytest.raises(Refused, match="never completed"):
        choose(found, "2026-11-25", "the bucket")
