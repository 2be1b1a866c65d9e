import random

from checks.reconcile import Content, missing_audio, orphans, to_read_back, wrong_content, wrong_size
from target.database import UsageRow
from target.objects import ObjectFacts


def row(number: int, key: str | None, *, sha256: str | None = "aa", size: int | None = 5) -> UsageRow:
    return UsageRow(number, 1000.0 + number, f"r{number}", "tts", "ok", key, sha256, size, None)


def item(key: str, *, size: int = 5, modified: float = 1000.0) -> ObjectFacts:
    return ObjectFacts(key, size, "etag", modified)


def there(*items: ObjectFacts) -> dict[str, ObjectFacts]:
    return {each.key: each for each in items}


def test_rows_without_audio_are_told_but_not_those_that_never_had_any() -> None:
    rows = [row(1, "a"), row(2, "b"), row(3, None)]
    assert missing_audio(rows, there(item("a"))) == [rows[1]]


def test_size_and_content_are_compared_with_the_row() -> None:
    rows = [row(1, "a"), row(2, "b", size=None), row(3, "c", size=6)]
    assert wrong_size(rows, there(item("a"), item("b", size=9), item("c"))) == [
        "c: 5 bytes, its row 3 says 6"
    ]
    contents = [Content(rows[0], "aa"), Content(rows[1], "bb"), Content(rows[2], None)]
    assert [line.split(":")[0] for line in wrong_content(contents)] == ["b"]


def test_few_are_all_read_back_many_are_sampled_newest_first() -> None:
    rows = [row(number, f"k{number}") for number in range(100)]
    assert to_read_back(rows, 100, random.Random(1)) == rows
    some = to_read_back(rows, 20, random.Random(1))
    assert len(some) == len({each.id for each in some}) == 20
    assert {each.id for each in rows[-10:]} <= {each.id for each in some}
    assert to_read_back([row(1, "a", sha256=None), row(2, None)], 10, random.Random(1)) == []


def test_orphans_are_old_unknown_and_unrecorded() -> None:
    rows = [row(1, "a")]
    objects = there(
        item("a"),
        item("lost"),
        item("recorded"),
        item("young", modified=1999.0),
        item("newest", modified=2000.0),
    )
    assert [each.key for each in orphans(rows, objects, {"recorded"}, complete=True)] == ["lost"]
    assert orphans(rows, {}, set(), complete=True) == []


def test_with_the_newest_rows_only_older_objects_prove_nothing() -> None:
    objects = there(
        item("old", modified=900.0), item("lost", modified=1500.0), item("newest", modified=3000.0)
    )
    assert [each.key for each in orphans([row(1, "a")], objects, set(), complete=False)] == ["lost"]
