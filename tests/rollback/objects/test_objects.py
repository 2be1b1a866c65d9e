"""The action `objects` on a real S3 server: what is missing or corrupt comes back, and nothing else is touched."""

import io
import json
import os
import re
import secrets
import signal
import threading

import pytest
import urllib3
from minio import Minio

from tests.rollback.objects.bucket import CORRUPT, DATED, GOOD, MISSING, NEWER, SHORT, sha256

pytestmark = pytest.mark.drill


def flat(out):
    """What was said, without line breaks and durations."""
    return " ".join(re.sub(r"\s+\d+\.\d s$", "", out, flags=re.MULTILINE).split())


def refused(bucket, *arguments, code=5):
    """The command is refused with nothing changed; what it said, on one line."""
    before = bucket.inventory()
    seen, out = bucket.run("objects", *arguments)
    assert (seen, bucket.inventory()) == (code, before), out
    assert "Traceback" not in out
    assert bucket.s3.secret_key not in out
    return flat(out)


@pytest.mark.covers("objects", "apply")
def test_missing_and_corrupt_objects_come_back(bucket):
    broken = bucket.contents(bucket.live)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    assert "1 missing and 2 corrupt" in flat(out)
    assert bucket.contents(bucket.backup, f"{DATED}/") == GOOD, "the backup is as it was"
    kept = bucket.contents(bucket.backup, ".failed/")
    assert {key.partition("/")[2]: content for key, content in kept.items()} == {
        key: broken[key] for key in (CORRUPT, SHORT)
    }
    facts = bucket.client.stat_object(bucket.live, MISSING)
    assert facts.content_type == "audio/ogg"
    assert "tester" in facts.metadata.values()


def test_only_what_is_wrong_is_written(bucket):
    before = bucket.inventory()
    assert bucket.run("objects")[0] == 0
    after = bucket.inventory()
    changed = {key for key in before if before[key] != after.get(key)}
    assert changed == {f"s3://{bucket.live}/{key}" for key in (CORRUPT, SHORT)} | {"state"}
    new = {key for key in after.keys() - before.keys() if key.startswith("s3://")}
    assert {key for key in new if "/.failed/" not in key} == {f"s3://{bucket.live}/{MISSING}"}


@pytest.mark.covers("objects", "second")
def test_a_second_run_writes_nothing(bucket):
    assert bucket.run("objects")[0] == 0
    before = bucket.inventory()
    code, out = bucket.run("objects")
    assert (code, bucket.inventory()) == (0, before), out
    assert "nothing to do" in flat(out)


@pytest.mark.covers("objects", "dry-run")
def test_a_dry_run_shows_the_plan_and_changes_nothing(bucket):
    before = bucket.inventory()
    code, out = bucket.run("objects", "--dry-run")
    assert (code, bucket.inventory()) == (0, before), out
    assert f"copy 3 objects (0.0 MB) from {bucket.backup} ({DATED}) to {bucket.live}, by the server" in flat(
        out
    )
    assert f"{bucket.backup}/{DATED}/{MISSING} -> {bucket.live}/{MISSING}" in flat(out)
    assert "4 of 5" not in out


@pytest.mark.covers("objects", "undo")
def test_undo_returns_the_bucket_to_before(bucket):
    before = bucket.contents(bucket.live)
    assert bucket.run("objects")[0] == 0
    code, out = bucket.run("objects", "--undo")
    assert code == 0, out
    assert bucket.contents(bucket.live) == before
    assert bucket.run("objects", "--undo")[0] == 5


def test_undo_leaves_what_the_service_wrote_since(bucket):
    assert bucket.run("objects")[0] == 0
    bucket.put(bucket.live, MISSING, b"written after the rollback")
    code, out = bucket.run("objects", "--undo")
    assert code == 0, out
    assert bucket.contents(bucket.live)[MISSING] == b"written after the rollback"
    assert "1 object written by the service since: not touched" in flat(out)


def test_undo_is_refused_when_what_was_kept_is_gone(bucket):
    assert bucket.run("objects")[0] == 0
    for key in bucket.contents(bucket.backup, ".failed/"):
        bucket.client.remove_object(bucket.backup, f".failed/{key}")
    assert "2 objects of before gone" in refused(bucket, "--undo")


class TestWhatStays:
    def test_a_good_object_that_differs_from_the_backup(self, bucket):
        """The record says that the live one is right: the backup's is the spoilt one."""
        bucket.put(bucket.backup, f"{DATED}/tts/2026/11/20/a.ogg", b"spoilt in the backup")
        code, out = bucket.run("objects")
        assert code == 0, out
        assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
        assert "1 object other than in the backup, and good: not touched" in flat(out)

    def test_an_object_that_nothing_speaks_against(self, bucket):
        bucket.record({key: content for key, content in GOOD.items() if key != CORRUPT})
        corrupt = bucket.contents(bucket.live)[CORRUPT]
        code, out = bucket.run("objects")
        assert code == 0, out
        assert bucket.contents(bucket.live)[CORRUPT] == corrupt
        assert "1 object other than in the backup, and nothing says which is right: not touched" in flat(out)

    def test_an_object_that_the_backup_has_spoilt_too(self, bucket):
        bucket.put(bucket.backup, f"{DATED}/{MISSING}", b"spoilt")
        bucket.put(bucket.backup, f"{DATED}/{CORRUPT}", bytes(len(GOOD[CORRUPT])))
        before = bucket.contents(bucket.live)
        code, out = bucket.run("objects")
        assert code == 0, out
        assert bucket.contents(bucket.live) == before | {SHORT: GOOD[SHORT]}
        assert "2 objects lost: good in no backup, 2 of them spoilt there too" in flat(out)
        code, out = bucket.run("objects")
        assert code == 0
        assert "2 objects lost" in flat(out), "a second run does not hide it"

    def test_without_record_and_log_only_what_is_missing_is_copied(self, bucket):
        bucket.record({})
        (bucket.state / "records" / "2.3.1.json").unlink()
        before = bucket.contents(bucket.live)
        code, out = bucket.run("objects")
        assert code == 0, out
        assert bucket.contents(bucket.live) == before | {MISSING: GOOD[MISSING]}
        assert "neither record nor usage log" in flat(out)


def test_a_record_without_hashes_judges_by_etag(bucket):
    bucket.record(hashed=False)
    assert bucket.run("objects")[0] == 0
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}


def test_the_newest_backup_that_has_a_good_one_is_used(bucket):
    """A mirror that was made after the loss lacks what was lost; an older one has it."""
    bucket.put(bucket.backup, f"2026-11-23/{CORRUPT}", b"mirrored when it was corrupt")
    for key in GOOD:
        if key not in (MISSING, CORRUPT):
            bucket.put(bucket.backup, f"2026-11-23/{key}", GOOD[key])
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    assert f"from {bucket.live} from {bucket.backup}/2026-11-23" in flat(out) or "2026-11-23" in out
    bucket.run("objects", "--undo")
    assert bucket.run("objects", "--to", "2026-11-23")[0] == 0
    assert MISSING not in bucket.contents(bucket.live), "the one that is named is the only one"
    bucket.run("objects", "--undo")
    assert bucket.run("objects", "--to", DATED)[0] == 0
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}


def test_a_backup_without_a_folder(bucket):
    bucket.fill(bucket.backup, GOOD)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    assert bucket.run("objects")[0] == 0, "what was kept is not taken for a part of the backup"


def test_an_emptied_bucket(bucket):
    bucket.fill(bucket.live, {})
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD
    assert bucket.run("objects", "--undo")[0] == 0
    assert bucket.contents(bucket.live) == {}


def test_uploads_in_parts_are_compared_by_content(bucket):
    """The same bytes in other parts have another ETag: that alone is no difference."""
    big = secrets.token_bytes(11 << 20)
    whole, parts = "tts/2026/11/20/whole.ogg", "tts/2026/11/20/parts.ogg"
    everything = GOOD | {whole: big, parts: big}
    bucket.record(everything)
    for key in (whole, parts):
        bucket.client.put_object(
            bucket.backup,
            f"{DATED}/{key}",
            io.BytesIO(big),
            len(big),
            part_size=5 << 20,
            num_parallel_uploads=1,
        )
    bucket.client.put_object(bucket.live, whole, io.BytesIO(big), len(big), part_size=16 << 20)
    other = bytes([big[0] ^ 1]) + big[1:]
    bucket.client.put_object(
        bucket.live, parts, io.BytesIO(other), len(other), part_size=6 << 20, num_parallel_uploads=1
    )
    before = bucket.client.stat_object(bucket.live, whole)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.client.stat_object(bucket.live, whole).last_modified == before.last_modified
    assert sha256(bucket.contents(bucket.live)[parts]) == sha256(big)
    assert bucket.run("objects", "--undo")[0] == 0
    assert sha256(bucket.contents(bucket.live)[parts]) == sha256(other)


def test_an_object_too_large_for_one_copy(bucket, monkeypatch):
    big = secrets.token_bytes(11 << 20)
    key = "tts/2026/11/20/big.ogg"
    bucket.record(GOOD | {key: big})
    bucket.client.put_object(
        bucket.backup, f"{DATED}/{key}", io.BytesIO(big), len(big), "audio/ogg", metadata={"who": "tester"},
        part_size=16 << 20,
    )  # fmt: skip
    monkeypatch.setattr("target.object_writing._MOST_BY_ONE_COPY", 5 << 20)
    monkeypatch.setattr("minio.api.MAX_PART_SIZE", 5 << 20)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live)[key] == big
    facts = bucket.client.stat_object(bucket.live, key)
    assert facts.etag.endswith("-3"), "it was copied in parts"
    assert facts.content_type == "audio/ogg"
    assert "tester" in facts.metadata.values()
    before = bucket.inventory()
    assert (bucket.run("objects")[0], bucket.inventory()) == (0, before)


def test_a_backup_on_another_server_is_streamed(bucket, monkeypatch):
    """The same server by another name: to the suite it is another one."""
    port = bucket.s3.endpoint.partition(":")[2]
    bucket.write_target(
        objects={
            "backup": {
                "endpoint": f"localhost:{port}",
                "access_key": "${ACCESS}",
                "secret_key": "${SECRET}",
                "secure": False,
            }
        }
    )
    before = bucket.contents(bucket.live)
    code, out = bucket.run("objects", "--dry-run")
    assert "streamed through here" in flat(out)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    facts = bucket.client.stat_object(bucket.live, MISSING)
    assert facts.content_type == "audio/ogg"
    assert "tester" in facts.metadata.values()
    assert bucket.run("objects", "--undo")[0] == 0
    assert bucket.contents(bucket.live) == before


@pytest.mark.covers("objects", "apply", "undo", "second")
def test_versions_are_added_and_taken_back(versioned):
    """A restore adds a version, and its undo removes just that one: a deletion is a deletion again."""
    versioned.put(versioned.live, MISSING, GOOD[MISSING])
    versioned.client.remove_object(versioned.live, MISSING)
    before = versioned.versions(versioned.live)
    code, out = versioned.run("objects")
    assert code == 0, out
    assert versioned.contents(versioned.live) == GOOD | {NEWER: b"newer"}
    assert not versioned.contents(versioned.backup, ".failed/"), "the bucket itself keeps what was there"
    added = {entry[:4] for entry in versioned.versions(versioned.live)} - {entry[:4] for entry in before}
    assert {entry[0] for entry in added} == {MISSING, CORRUPT, SHORT}
    assert versioned.run("objects")[0] == 0
    assert versioned.run("objects", "--undo")[0] == 0
    assert versioned.versions(versioned.live) == before


def test_suspended_versions(versioned):
    versioned.keep_versions("Suspended")
    versioned.put(versioned.live, SHORT, GOOD[SHORT][:40])
    before = versioned.contents(versioned.live)
    assert versioned.run("objects")[0] == 0
    assert versioned.contents(versioned.live) == GOOD | {NEWER: b"newer"}
    assert versioned.run("objects", "--undo")[0] == 0
    assert versioned.contents(versioned.live) == before


class TestRefusals:
    pytestmark = pytest.mark.covers("objects", "refused")

    def test_the_bucket_is_missing(self, bucket):
        bucket.write_target(objects={"bucket": "absent-files"})
        assert "has no bucket absent-files" in refused(bucket)

    def test_the_backup_bucket_is_missing(self, bucket):
        bucket.write_target(objects={"backup_bucket": "absent-files"})
        assert "has no bucket absent-files" in refused(bucket)

    def test_there_is_no_backup(self, bucket):
        bucket.fill(bucket.backup, {})
        assert "holds no backup" in refused(bucket)

    def test_what_a_run_kept_is_no_backup(self, bucket):
        bucket.fill(bucket.backup, {".failed/20261120T000000Z/tts/a.ogg": b"x", ".manifests/x.begun": b"{}"})
        assert "holds no backup" in refused(bucket)

    def test_the_named_backup_is_not_there(self, bucket):
        said = refused(bucket, "--to", "2026-11-19")
        assert "holds no backup 2026-11-19; there is: " in said
        assert DATED in said.partition("there is:")[2]

    def test_a_snapshot_that_was_not_completed(self, bucket):
        bucket.put(bucket.backup, f".manifests/{DATED}.begun", b"{}")
        assert "holds no complete backup" in refused(bucket)
        assert "was never completed" in refused(bucket, "--to", DATED)

    def test_the_backup_is_the_bucket(self, bucket):
        bucket.write_target(objects={"backup_bucket": bucket.live})
        assert "is the bucket itself" in refused(bucket)

    def test_the_backup_of_another_environment(self, bucket):
        bucket.fill(bucket.backup, {f"{DATED}/tts/staging-{number}.ogg": b"x" for number in range(4)})
        assert "it is the backup of another environment" in refused(bucket)

    def test_the_bucket_of_another_environment(self, bucket):
        bucket.fill(bucket.live, {f"tts/staging-{number}.ogg": b"x" for number in range(4)})
        bucket.fill(bucket.backup, {f"{DATED}/{key}": content for key, content in GOOD.items()})
        assert "it is the bucket of another environment" in refused(bucket)

    def test_the_snapshot_of_another_bucket(self, bucket):
        manifest = {"format": 1, "bucket": "staging-files", "taken_at": 1.0, "objects": []}
        bucket.put(bucket.backup, f".manifests/{DATED}.json", json.dumps(manifest).encode())
        assert "is a snapshot of the bucket staging-files" in refused(bucket)

    def test_a_damaged_manifest(self, bucket):
        bucket.put(bucket.backup, f".manifests/{DATED}.json", b"{torn")
        assert "damaged" in refused(bucket)

    def test_the_keys_are_wrong(self, bucket):
        bucket.write_target()
        secrets_file = bucket.folder / "secrets.env"
        secrets_file.write_text(f"ACCESS={bucket.s3.access_key}\nSECRET=other-canary\n")
        said = refused(bucket)
        assert "SignatureDoesNotMatch" in said
        assert "other-canary" not in said

    def test_no_backup_in_the_target(self, bucket):
        bucket.write_target(objects={"backup_bucket": None})
        assert "no `objects.backup_bucket`" in refused(bucket, code=4)

    def test_the_list_of_an_unfinished_run_was_changed(self, bucket, kill_after_line):
        bucket.run_and_kill(kill_after_line(3), "objects")
        listed = next((bucket.state / "objects").iterdir())
        listed.write_bytes(listed.read_bytes() + b"\n")
        assert "not the list of that run" in refused(bucket)


class TestStorageLost:
    """The storage goes away in the middle: what was begun is taken back, or can be, and the error is one line."""

    def test_and_back_again(self, bucket, monkeypatch):
        from target.object_writing import WritableStore

        before = bucket.contents(bucket.live)
        real = WritableStore.copy_from

        def copy_from(self, source, item, key):
            if key == SHORT:
                raise self.lost()
            real(self, source, item, key)

        def lost(self):
            from target.errors import StoreError

            return StoreError(f"{self.server}, bucket {self.bucket}: connection refused; start the storage")

        monkeypatch.setattr(WritableStore, "copy_from", copy_from)
        monkeypatch.setattr(WritableStore, "lost", lost, raising=False)
        code, out = bucket.run("objects")
        assert code == 1, out
        assert "FAILED and undone" in out
        assert "connection refused; start the storage" in flat(out)
        assert bucket.contents(bucket.live) == before

    def test_for_longer(self, bucket, monkeypatch):
        """Nothing can be taken back while it is away; the way back goes on later."""
        before = bucket.contents(bucket.live)
        real = Minio._url_open
        asked = []

        def url_open(self, method, region, bucket_name=None, **more):
            if asked or (method == "PUT" and bucket_name == bucket.live):
                asked.append(method)
            if len(asked) > 1:
                raise urllib3.exceptions.ProtocolError("Connection aborted.")
            return real(self, method, region, bucket_name=bucket_name, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Minio, "_url_open", url_open)
            code, out = bucket.run("objects")
        assert code == 3, out
        assert "FAILED and NOT undone" in out
        assert "the connection broke off" in flat(out)
        assert "Traceback" not in out
        assert bucket.run("objects", "--resume")[0] == 1
        assert bucket.contents(bucket.live) == before


def test_no_secret_is_written_anywhere(bucket):
    _, out = bucket.run("objects")
    _, undo = bucket.run("objects", "--undo")
    written = [path.read_text() for path in bucket.state.rglob("*") if path.is_file()]
    assert written
    for text in (out, undo, *written):
        assert bucket.s3.secret_key not in text
        assert bucket.s3.access_key not in text


@pytest.mark.covers("objects", "kill", "apply", "undo", "second")
def test_every_line(bucket, survives_kills):
    broken: dict[str, bytes] = {}

    def reset():
        bucket.reset()
        broken.update(bucket.contents(bucket.live))

    def is_new():
        assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}

    def is_old():
        assert bucket.contents(bucket.live) == broken

    survives_kills(bucket, ["objects"], reset=reset, is_new=is_new, is_old=is_old)


def dies_in_copy(number, *, after):
    """Makes what a child process calls to be killed before or after its n-th copy of an object."""

    def patch():
        from target.object_writing import WritableStore

        real = WritableStore.copy_from
        count = 0
        lock = threading.Lock()

        def copy_then_die(self, source, item, key):
            nonlocal count
            with lock:
                count += 1
                if count == number and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(self, source, item, key)
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        WritableStore.copy_from = copy_then_die

    return patch


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_killed_between_objects(bucket, number, after):
    """Two copies set aside and three restored: wherever it dies, the next run goes on, and undoing goes all the way."""
    before = bucket.contents(bucket.live)
    assert os.WIFSIGNALED(bucket.run_and_kill(dies_in_copy(number, after=after), "objects"))
    code, out = bucket.run("objects")
    assert code == 0, out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    assert os.WIFSIGNALED(bucket.run_and_kill(dies_in_copy(1, after=after), "objects", "--undo"))
    assert bucket.run("objects", "--resume")[0] == 0
    assert bucket.contents(bucket.live) == before


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_between_objects_that_have_versions(versioned, number):
    before = versioned.versions(versioned.live)
    assert os.WIFSIGNALED(versioned.run_and_kill(dies_in_copy(number, after=True), "objects"))
    assert versioned.run("objects", "--undo")[0] == 0
    assert versioned.versions(versioned.live) == before
    assert os.WIFSIGNALED(versioned.run_and_kill(dies_in_copy(number, after=True), "objects"))
    assert versioned.run("objects")[0] == 0
    assert versioned.contents(versioned.live) == GOOD | {NEWER: b"newer"}
    assert versioned.run("objects", "--undo")[0] == 0
    assert versioned.versions(versioned.live) == before


def test_the_usage_log_cannot_be_asked(bucket):
    bucket.write_target(database={"url": "postgresql://voice@127.0.0.1:1/voice"})
    code, out = bucket.run("objects")
    assert code == 0, out
    assert "the usage log cannot be asked" in flat(out)
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}


def test_hosts_share_the_bucket(bucket):
    """It is carried out once, from the first host, and so is its undo; the others need not even be there."""
    bucket.write_target(hosts=["local://", "docker://no-such-container"])
    before = bucket.contents(bucket.live)
    code, out = bucket.run("objects")
    assert code == 0, out
    assert "not begun" not in out
    assert bucket.contents(bucket.live) == GOOD | {NEWER: b"newer"}
    code, out = bucket.run("objects", "--undo")
    assert code == 0, out
    assert bucket.contents(bucket.live) == before
