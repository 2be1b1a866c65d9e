"""Records, on a real folder of this machine."""

import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from target.database import Column
from target.errors import RecordError
from target.host import Host
from target.record import (
    CodeRecord,
    DatabaseRecord,
    EnvironmentRecord,
    LatencyRecord,
    ObjectRecord,
    Record,
    Records,
    describe,
    render,
    safe_name,
)

GOOD = Record(
    name="2.3.1-a1b2c3d",
    version="2.3.1",
    revision="a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    taken_at="2026-11-20T09:12:44Z",
    taken_by="deploy@voice-1",
    state="healthy",
    environment=EnvironmentRecord("aa" * 32, {"S3_BUCKET": "bb" * 32}),
    providers={"openai": {"stt_priority": 1, "tts_priority": None}},
    packages={"openai": "1.2.3"},
    python="3.11.9",
    code=CodeRecord("cc" * 32, {"app/services/voice_v2/тест.py": "dd" * 32}, None),
    database=DatabaseRecord(
        system_identifier=None,
        revision="0001",
        columns=(Column("id", "bigint", False),),
        indexes={"voice_usage_logs_pkey": "CREATE UNIQUE INDEX …"},
        rows_per_day={"2026-11-19": 4},
    ),
    objects=tuple(ObjectRecord(f"2026/11/{n}.ogg", 1000 + n, "ee" * 16, None) for n in range(40)),
    latency=LatencyRecord(tts=(0.25,) * 30, stt=(0.5,) * 30),
)


def of(name: str, taken_at: str, version: str | None = None) -> Record:
    return msgspec.structs.replace(GOOD, name=name, taken_at=taken_at, version=version or name)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state of the target"


@pytest.fixture
def records(state: Path) -> Records:
    return Records(Host("local://"), str(state))


def test_what_was_saved_is_read_back_equal(records: Records, state: Path) -> None:
    records.save(GOOD)
    assert records.all() == [GOOD]
    assert records.get(GOOD.name) == GOOD
    assert [path.name for path in (state / "records").iterdir()] == ["2.3.1-a1b2c3d.json"]


def test_without_a_state_folder_there_are_no_records(records: Records, state: Path) -> None:
    assert records.all() == []
    assert records.newest_healthy() is None
    assert records.expected() is None
    assert not state.exists()


def test_a_record_is_readable_by_a_person() -> None:
    text = render(GOOD).decode()
    assert json.loads(text)["name"] == GOOD.name
    assert '  "version": "2.3.1",\n' in text
    assert "тест.py" in text
    object_lines = [line for line in text.splitlines() if '"2026/11/' in line]
    assert len(object_lines) == 40


def test_newest_come_first_and_bad_ones_are_passed_over(records: Records) -> None:
    for name, taken_at in (
        ("1.0", "2026-01-01T00:00:00Z"),
        ("1.2", "2026-03-01T00:00:00Z"),
        ("1.1", "2026-02-01T00:00:00Z"),
    ):
        records.save(of(name, taken_at))
    assert [record.name for record in records.all()] == ["1.2", "1.1", "1.0"]
    marked = records.mark_bad("1.2", " loses\nrows ")
    assert (marked.state, marked.why_bad) == ("bad", "loses rows")
    assert records.get("1.2") == marked
    newest = records.newest_healthy()
    assert newest is not None
    assert newest.name == "1.1"


def test_marking_bad_needs_a_reason(records: Records) -> None:
    records.save(GOOD)
    with pytest.raises(RecordError, match="say why"):
        records.mark_bad(GOOD.name, "  ")
    assert records.get(GOOD.name) == GOOD


def test_by_version_the_newest_healthy_one_is_found(records: Records) -> None:
    records.save(of("2.0-aaaaaaa", "2026-01-01T00:00:00Z", "2.0"))
    records.save(of("2.0-bbbbbbb", "2026-02-01T00:00:00Z", "2.0"))
    assert records.get("2.0").name == "2.0-bbbbbbb"
    records.mark_bad("2.0-bbbbbbb", "leaks")
    assert records.get("2.0").name == "2.0-aaaaaaa"
    records.mark_bad("2.0-aaaaaaa", "leaks too")
    assert records.get("2.0").name == "2.0-bbbbbbb"


def test_an_unknown_name_lists_what_there_is(records: Records, state: Path) -> None:
    with pytest.raises(RecordError, match=r"no record '9\.9'.*there is: none; `python -m rollback record`"):
        records.get("9.9")
    records.save(GOOD)
    with pytest.raises(
        RecordError, match=r"no record '9\.9' in .*records on local://; there is: 2\.3\.1-a1b2c3d"
    ):
        records.get("9.9")
    with pytest.raises(RecordError, match=r"no record '9\.9'"):
        records.expect("9.9")
    assert not (state / "expected").exists()


def test_expected_is_what_was_noted_while_it_is_good(records: Records) -> None:
    records.save(of("1.0", "2026-01-01T00:00:00Z"))
    records.save(of("1.1", "2026-02-01T00:00:00Z"))
    records.save(of("1.2", "2026-03-01T00:00:00Z"))
    assert _expected(records) == "1.2"
    records.expect("1.0")
    assert _expected(records) == "1.0"
    records.mark_bad("1.0", "too old")
    assert _expected(records) == "1.2"


def test_expected_does_not_stumble_over_another_records_damage(records: Records, state: Path) -> None:
    records.save(of("1.0", "2026-01-01T00:00:00Z"))
    records.expect("1.0")
    (state / "records" / "0.9.json").write_text("{")
    assert _expected(records) == "1.0"


def test_an_expected_record_that_is_gone_is_an_error(records: Records, state: Path) -> None:
    records.save(GOOD)
    records.expect(GOOD.name)
    (state / "records" / f"{GOOD.name}.json").unlink()
    with pytest.raises(
        RecordError, match=r"expected on local:// names the record '2\.3\.1-a1b2c3d', which is not"
    ):
        records.expected()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: "", "is empty"),
        (lambda text: "hello", "is damaged"),
        (lambda text: text.replace('"healthy"', '"fine"'), r"is damaged \(Invalid enum value 'fine'.*state"),
        (lambda text: text.replace('"version"', '"versoin"'), r"is damaged \(.*versoin"),
        (lambda text: text.replace('"size": 1003', '"size": "big"'), r"objects\[3\]"),
        (
            lambda text: text.replace("2.3.1-a1b2c3d", "2.3.2-a1b2c3d"),
            "says that its name is '2.3.2-a1b2c3d'",
        ),
        (
            lambda text: text.replace('"format": 1', '"format": 2, "new": 1'),
            "newer format .*update this tool",
        ),
    ],
)
def test_a_damaged_record_is_named_with_what_to_do(
    records: Records, state: Path, damage: Callable[[str], str], says: str
) -> None:
    records.save(GOOD)
    path = state / "records" / f"{GOOD.name}.json"
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    for read in (records.all, lambda: records.get(GOOD.name), records.newest_healthy):
        with pytest.raises(RecordError, match=says) as caught:
            read()
        assert str(path) in str(caught.value)


def test_a_record_is_never_overwritten(records: Records, state: Path) -> None:
    records.save(GOOD)
    with pytest.raises(RecordError, match=r"there is a record '2\.3\.1-a1b2c3d' already"):
        records.save(msgspec.structs.replace(GOOD, state="bad"))
    assert records.all() == [GOOD]
    assert len(list((state / "records").iterdir())) == 1


def test_a_record_that_does_not_tell_how_many_were_asked_at_once_is_of_four(
    records: Records, state: Path
) -> None:
    records.save(GOOD)
    path = state / "records" / f"{GOOD.name}.json"
    content = json.loads(path.read_text())
    del content["latency"]["concurrency"]
    path.write_text(json.dumps(content))
    assert records.get(GOOD.name).latency.concurrency == 4


@pytest.mark.parametrize("name", ["../outside", "a b", "", ".hidden", "a/b"])
def test_a_name_cannot_leave_the_folder(records: Records, state: Path, name: str) -> None:
    with pytest.raises(RecordError, match="cannot be called"):
        records.save(msgspec.structs.replace(GOOD, name=name))
    assert not state.exists()


def test_names_are_made_safe() -> None:
    assert safe_name("2.3.1-rc 1/ru") == "2.3.1-rc-1-ru"
    assert safe_name("../../etc") == "etc"
    assert safe_name("…") == "unnamed"


def test_the_key_is_private_stable_and_the_hosts_own(records: Records, state: Path) -> None:
    first = records.keyed_hash(b"secret value")
    assert first == records.keyed_hash(b"secret value")
    assert first == Records(Host("local://"), str(state)).keyed_hash(b"secret value")
    assert first != records.keyed_hash(b"another value")
    assert stat.S_IMODE((state / "hash.key").stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == ["hash.key"]
    assert first != Records(Host("local://"), str(state / "other")).keyed_hash(b"secret value")


def test_two_who_make_the_key_at_once_get_the_same(state: Path) -> None:
    hashes: list[str] = []
    barrier = threading.Barrier(4)

    def make() -> None:
        records = Records(Host("local://"), str(state))
        barrier.wait(timeout=10)
        hashes.append(records.keyed_hash(b"x"))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(hashes) == 4
    assert len(set(hashes)) == 1


def test_a_lost_or_damaged_key_is_told_not_replaced(records: Records, state: Path) -> None:
    records.save(GOOD)
    key = state / "hash.key"
    content = key.read_text()
    key.write_text(content[:20])
    with pytest.raises(RecordError, match=r"hash\.key on local:// is damaged"):
        Records(Host("local://"), str(state)).keyed_hash(b"x")
    key.unlink()
    with pytest.raises(RecordError, match=r"hash\.key on local:// is gone although there are records"):
        Records(Host("local://"), str(state)).keyed_hash(b"x")
    assert not key.exists()


def test_a_line_for_lists() -> None:
    assert describe(GOOD) == "2.3.1 a1b2c3d · 2026-11-20 09:12 · healthy"
    bad = msgspec.structs.replace(GOOD, state="bad", why_bad="loses rows", revision=None)
    assert describe(bad) == "2.3.1 · 2026-11-20 09:12 · bad: loses rows"
    bare = msgspec.structs.replace(GOOD, version=None, revision=None, name="20261120T091244Z")
    assert describe(bare) == "20261120T091244Z · 2026-11-20 09:12 · healthy"


def _expected(records: Records) -> str:
    record = records.expected()
    assert record is not None
    return record.name
