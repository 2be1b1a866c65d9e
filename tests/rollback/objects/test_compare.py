"""Bucket against backup, without a server: which objects are wrong, which stay, and where a good one is."""

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback.actions.objects.compare import compare, fits, same
from rollback.actions.objects.truth import Known, Truth, refuse_strangers, truth_of
from rollback.errors import Refused
from target.database import UsageRow
from target.objects import ObjectFacts
from target.record import ObjectRecord

KEYS = [f"tts/{name}.ogg" for name in "abcd"]
BYTES = [b"one", b"two", b"other size"]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Fake:
    """A bucket in memory; `parts` are keys that were uploaded in parts. Counts what is read."""

    def __init__(self, contents, parts=()):
        self.contents = contents
        self.read = []
        self.objects = {
            key: ObjectFacts(key, len(content), f"{md5(content)}-2" if key in parts else md5(content), 100.0)
            for key, content in contents.items()
        }

    def sha256(self, keys):
        self.read += keys
        return {key: sha256(self.contents[key]) for key in keys}


def record(contents, *, hashed=True):
    return tuple(
        ObjectRecord(key, len(content), md5(content), sha256(content) if hashed else None)
        for key, content in contents.items()
    )


def rows(contents):
    return [
        UsageRow(number, 50.0, "", "tts", "ok", key, sha256(content), len(content), None)
        for number, (key, content) in enumerate(contents.items())
    ]


contents = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(BYTES))
parts = st.sets(st.sampled_from(KEYS))


@given(
    contents,
    st.lists(contents, min_size=1, max_size=3),
    contents,
    contents,
    parts,
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=400)
def test_what_is_copied_is_good_and_nothing_good_is_overwritten(
    live, backups, recorded, logged, in_parts, hashed, with_log
):
    truth = truth_of(record(recorded, hashed=hashed), rows(logged) if with_log else None)
    found = compare(Fake(live, in_parts), [Fake(each, in_parts) for each in backups], truth)

    def good(key, content):
        """Whether that content is what record or log say, a hash before an ETag; None where neither says anything."""
        sure = [*([recorded] if hashed else []), *([logged] if with_log else [])]
        known = [told[key] for told in sure if key in told] or [
            told[key] for told in (recorded,) if key in told
        ]
        return content in known if known else None

    after = dict(live)
    for cure in found.cures:
        source = backups[cure.backup][cure.key]
        if cure.key in live:
            assert good(cure.key, live[cure.key]) is False, "only what is proven corrupt is overwritten"
            assert cure.before is not None
            assert cure.source.size in truth.known[cure.key].sizes
        assert cure.before is None or cure.key in live
        if cure.sha256 is not None:
            assert cure.sha256 == sha256(source)
        if truth.known.get(cure.key, Known()).sha256s:
            assert good(cure.key, source), "what is copied is what was recorded or logged"
        after[cure.key] = source
    again = compare(Fake(after, in_parts), [Fake(each, in_parts) for each in backups], truth)
    assert again.cures == (), "a second run finds nothing"
    assert again.lost == found.lost
    for key in found.lost:
        if hashed or with_log:
            assert key not in live or good(key, live[key]) is not True
    if with_log:
        named = recorded.keys() | logged.keys()
        assert {cure.key for cure in found.cures} <= named
        assert not set(found.unknown) & named


@given(contents, contents, contents)
@settings(max_examples=200)
def test_what_every_hash_proves_is_restored_completely(live, backup, recorded):
    """With hashes for everything, all that the backup has whole comes back, and the rest is called lost."""
    found = compare(Fake(live), [Fake(backup)], truth_of(record(recorded), rows(recorded)))
    cured = {cure.key for cure in found.cures}
    for key, content in recorded.items():
        differs = live.get(key) != content
        assert (key in cured) == (differs and backup.get(key) == content)
        assert (key in found.lost) == (differs and backup.get(key) != content)


def test_nothing_is_read_where_listings_tell():
    """Ten thousand objects as recorded and as in the backup: two listings, and not one of them is read."""
    many = {f"tts/{number}.ogg": b"speech" for number in range(10_000)}
    live, backup = Fake(many), Fake(many)
    found = compare(live, [backup], truth_of(record(many), rows(many)))
    assert (found.alike, found.cures, live.read, backup.read) == (10_000, (), [], [])


def test_only_what_is_in_doubt_is_read():
    whole = dict.fromkeys(KEYS, b"speech")
    live = Fake({KEYS[0]: b"speech", KEYS[1]: b"SPEECH", KEYS[2]: b"short"}, parts={KEYS[0]})
    backup = Fake(whole)
    found = compare(live, [backup], truth_of(record(whole), None))
    assert [cure.key for cure in found.cures] == KEYS[1:]
    assert live.read == KEYS[:2], "another size needs no reading"
    assert sorted(backup.read) == KEYS[1:]


@pytest.mark.parametrize(
    ("facts", "sha", "known", "says"),
    [
        ((3, "a" * 32), None, None, None),
        ((3, "a" * 32), None, Known(sizes=frozenset({4})), False),
        ((3, "a" * 32), None, Known(etags=frozenset({"a" * 32})), True),
        ((3, "a" * 32), None, Known(etags=frozenset({"b" * 32})), False),
        ((3, "a" * 32), None, Known(etags=frozenset({"b" * 32 + "-2"})), None),
        ((3, "a" * 32 + "-2"), None, Known(etags=frozenset({"b" * 32})), None),
        ((3, "a" * 32), None, Known(sha256s=frozenset({"x"})), None),
        ((3, "a" * 32), "x", Known(sha256s=frozenset({"x"}), etags=frozenset({"b" * 32})), True),
        ((3, "a" * 32), "y", Known(sha256s=frozenset({"x"}), etags=frozenset({"a" * 32})), False),
    ],
)
def test_fits(facts, sha, known, says):
    assert fits(ObjectFacts("k", *facts, 0.0), sha, known) is says


def test_an_empty_etag_is_no_evidence():
    assert not same(ObjectFacts("k", 3, "", 0.0), ObjectFacts("k", 3, "", 0.0))


def facts_of(keys, modified=100.0):
    return {key: ObjectFacts(key, 1, "e", modified) for key in keys}


class TestStrangers:
    prod = tuple(f"prod/{number}" for number in range(20))
    staging = tuple(f"staging/{number}" for number in range(20))
    recorded = truth_of(record(dict.fromkeys(prod, b"x")), None)

    def test_one_environment(self):
        refuse_strangers(self.recorded, facts_of(self.prod[:15]), facts_of(self.prod), 100.0)

    def test_an_emptied_bucket(self):
        refuse_strangers(self.recorded, {}, facts_of(self.prod), 100.0)

    def test_only_new_objects_are_left(self):
        refuse_strangers(
            self.recorded, facts_of(["new/1", "new/2"], modified=200.0), facts_of(self.prod), 100.0
        )

    def test_another_backup(self):
        with pytest.raises(Refused, match="backup of another environment"):
            refuse_strangers(self.recorded, facts_of(self.prod), facts_of(self.staging), 100.0)

    def test_another_bucket(self):
        with pytest.raises(Refused, match="bucket of another environment"):
            refuse_strangers(self.recorded, facts_of(self.staging), facts_of(self.prod), 100.0)

    def test_another_bucket_without_a_record(self):
        nothing = Truth({}, None, None)
        with pytest.raises(Refused, match="bucket of another environment"):
            refuse_strangers(nothing, facts_of(self.staging), facts_of(self.prod), 100.0)

    def test_another_database(self):
        truth = truth_of(record(dict.fromkeys(self.prod, b"x")), rows(dict.fromkeys(self.staging, b"x")))
        with pytest.raises(Refused, match="usage log names"):
            refuse_strangers(truth, facts_of(self.prod), facts_of(self.prod), 100.0)

    def test_new_objects_that_the_log_names(self):
        truth = truth_of(
            record(dict.fromkeys(self.prod, b"x")), rows(dict.fromkeys([*self.prod, "new/1"], b"x"))
        )
        refuse_strangers(truth, facts_of(["new/1"], modified=200.0), facts_of(self.prod), 100.0)


def test_what_only_the_suite_itself_wrote_is_not_told_as_lost():
    """Brought back where a backup has it; missed by nobody where none has."""
    content = {"own-kept": b"a", "own-gone": b"b", "theirs-gone": b"c"}
    written = [
        msgspec.structs.replace(row, mark="suite" if (row.audio_key or "").startswith("own") else None)
        for row in rows(content)
    ]
    found = compare(Fake({}), [Fake({"own-kept": b"a"})], truth_of(None, written, "suite"))
    assert [cure.key for cure in found.cures] == ["own-kept"]
    assert found.lost == ("theirs-gone",)
