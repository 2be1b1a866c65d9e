"""The record: the known-good facts of one released version, kept in the target's `state_dir` on the host."""

import hashlib
import hmac
import json
import re
import secrets
from typing import Any, Literal

import msgspec

from target.database import Column
from target.errors import RecordError
from target.host import Host
from target.objects import ObjectFacts

FORMAT = 1

_LINE = 110
_TAKEN = 17
_LOST = 18
_SEPARATOR = "\x1e"  # JSON never holds one unescaped

# Every file in one command: a command costs 60 ms in a container and more over ssh.
_READ = r"""
[ -d "$1" ] || exit 0
cd -- "$1" || exit 1
printf '\036expected\036'
[ ! -e expected ] || cat expected || exit 1
for file in records/*.json; do
  [ -e "$file" ] || continue
  printf '\036%s\036' "${file#records/}"
  cat -- "$file" || exit 1
done
"""

# `ln` never overwrites, so that of two who save the same name one is told.
_PUBLISH = rf"""
if ln -- "$1" "$2"; then rm -f -- "$1"; sync -- "$3"; exit; fi
rm -f -- "$1"
[ ! -e "$2" ] || exit {_TAKEN}
exit 1
"""

_KEY = rf"""
umask 077
mkdir -p -- "$1" && cd -- "$1" || exit 1
if [ ! -e hash.key ]; then
  for file in records/*.json; do [ ! -e "$file" ] || [ -e hash.key ] || exit {_LOST}; done
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$2" && sync -- "$2" || exit 1
  ln -- "$2" hash.key || [ -e hash.key ] || exit 1
  rm -f -- "$2"
fi
cat hash.key
"""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a record; a key that is unknown in it means that the file was damaged by hand."""


class EnvironmentRecord(Part, frozen=True):
    """`file_hmac` is keyed by the host's own secret key; `values` maps each variable to its keyed hash."""

    file_hmac: str
    values: dict[str, str]


class CodeRecord(Part, frozen=True):
    """Package folder and requirements: one hash over (path, mode, content) of every file, caches left out.

    `files` maps each path below the checkout to its SHA-256.
    """

    tree_sha256: str
    files: dict[str, str]
    revision: str | None


class ObjectRecord(Part, frozen=True):
    """An object of the manifest; `sha256` None where the store's ETag had to do."""

    key: str
    size: int
    etag: str
    sha256: str | None


class DatabaseRecord(Part, frozen=True, kw_only=True):
    """Table facts; `rows_per_day` only holds days that were over when the record was taken (UTC)."""

    system_identifier: str | None
    revision: str | None
    columns: tuple[Column, ...]
    indexes: dict[str, str]
    rows_per_day: dict[str, int]


class LatencyRecord(Part, frozen=True):
    """Raw samples in seconds, the performance baseline; `concurrency` is how many requests there were at once.

    The default is that of records which do not tell.
    """

    tts: tuple[float, ...] = ()
    stt: tuple[float, ...] = ()
    concurrency: int = 4


class Record(Part, frozen=True, kw_only=True):
    """Known-good facts. A part is None where the target does not offer it. Times are ISO 8601 in UTC."""

    format: int = FORMAT
    name: str
    version: str | None
    revision: str | None
    taken_at: str
    taken_by: str
    state: Literal["healthy", "bad"]
    why_bad: str | None = None
    image_digest: str | None = None
    environment: EnvironmentRecord | None = None
    providers: dict[str, dict[str, int | None]] | None = None
    packages: dict[str, str] | None = None
    python: str | None = None
    code: CodeRecord | None = None
    database: DatabaseRecord | None = None
    objects: tuple[ObjectRecord, ...] | None = None
    latency: LatencyRecord = LatencyRecord()
    memory_bytes: int | None = None


class _Format(msgspec.Struct, frozen=True):
    format: int


class Records:
    """The records in `state_dir/records/` of a host, written atomically, one JSON file a record."""

    def __init__(self, host: Host, state_dir: str) -> None:
        self._host = host
        self._state_dir = state_dir.rstrip("/") or "/"
        self._folder = f"{self._state_dir}/records"
        self._key: bytes | None = None

    def all(self) -> list[Record]:
        """Every record, newest first. Raises RecordError naming the file that cannot be read."""
        _, files = self._read()
        return self._decode_all(files)

    def get(self, name: str) -> Record:
        """One record by name, or by version (the newest healthy of it, else the newest).

        Raises RecordError listing what there is.
        """
        _, files = self._read()
        if name in files:
            return self._decode(name, files[name])
        of_version = [record for record in self._decode_all(files) if record.version == name]
        for record in of_version:
            if record.state == "healthy":
                return record
        if of_version:
            return of_version[0]
        raise self._unknown(name, files)

    def newest_healthy(self) -> Record | None:
        """The newest record that is not marked bad."""
        _, files = self._read()
        return _newest_healthy(self._decode_all(files))

    def expected(self) -> Record | None:
        """The record of what should be running now: the one last recorded or rolled back to, else the newest healthy.

        One that was marked bad since then is not what should be running: the newest healthy one is.
        Raises RecordError when what is noted as expected is gone or cannot be read.
        """
        name, files = self._read()
        if name:
            if name not in files:
                raise RecordError(
                    f"{self._state_dir}/expected on {self._host.url} names the record {name!r}, which is not in "
                    f"{self._folder}: put {name}.json back from a backup, or remove the file `expected`"
                )
            record = self._decode(name, files[name])
            if record.state == "healthy":
                return record
        return _newest_healthy(self._decode_all(files))

    def expect(self, name: str) -> None:
        """Note that this record is what should be running from now on. Raises RecordError when there is none."""
        _, files = self._read()
        if name not in files:
            raise self._unknown(name, files)
        self._host.write_atomically(f"{self._state_dir}/expected", f"{name}\n".encode())

    def save(self, record: Record) -> None:
        """Write a new record; an existing one of that name is never overwritten (RecordError)."""
        if record.name != safe_name(record.name):
            raise RecordError(
                f"a record cannot be called {record.name!r}: only letters, digits and . _ + - may be in it"
            )
        self._secret()
        self._host.make_folder(self._folder)
        path = self._path(record.name)
        beside = f"{self._folder}/.{record.name}.{secrets.token_hex(4)}.new"
        self._host.write_atomically(beside, render(record))
        ran = self._host.shell(_PUBLISH, beside, path, self._folder)
        if ran.status == _TAKEN:
            raise RecordError(
                f"there is a record {record.name!r} already ({path} on {self._host.url}), and records are never "
                "overwritten: record under another name, or move that file away"
            )
        if not ran.ok:
            raise RecordError(f"{path} on {self._host.url} could not be written: {_last_line(ran.stderr)}")

    def mark_bad(self, name: str, why: str) -> Record:
        """Mark one bad, with the reason. Raises RecordError when there is none, or no reason."""
        if not why.strip():
            raise RecordError(f"the record {name!r} was not marked bad: say why, for the next person on call")
        marked = msgspec.structs.replace(self.get(name), state="bad", why_bad=" ".join(why.split()))
        self._host.write_atomically(self._path(marked.name), render(marked))
        return marked

    def keyed_hash(self, value: bytes) -> str:
        """HMAC-SHA256 (hex) under the host's key `state_dir/hash.key`, which is made (0600) on first use.

        Raises RecordError when the key is damaged, or gone although there are records that were made with it.
        """
        return hmac.new(self._secret(), value, hashlib.sha256).hexdigest()

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}.json"

    def _read(self) -> tuple[str, dict[str, str]]:
        """What `expected` holds, and the content of each record's file by its name."""
        ran = self._host.shell(_READ, self._state_dir, timeout_s=60.0)
        if not ran.ok:
            raise RecordError(
                f"the records in {self._folder} on {self._host.url} cannot be read: {_last_line(ran.stderr)}"
            )
        fields = ran.stdout.split(_SEPARATOR)[1:]
        found = dict(zip(fields[::2], fields[1::2], strict=False))
        expected = found.pop("expected", "").strip()
        return expected, {file.removesuffix(".json"): content for file, content in found.items()}

    def _decode_all(self, files: dict[str, str]) -> list[Record]:
        records = [self._decode(name, content) for name, content in files.items()]
        return sorted(records, key=lambda record: (record.taken_at, record.name), reverse=True)

    def _decode(self, name: str, content: str) -> Record:
        where = f"{self._path(name)} on {self._host.url}"
        mend = "put it back from a backup, or move it away and record again"
        try:
            written = msgspec.json.decode(content, type=_Format).format
            if written > FORMAT:
                raise RecordError(
                    f"{where} is of a newer format ({written}; known here: {FORMAT}): update this tool"
                )
            record = msgspec.json.decode(content, type=Record)
        except msgspec.DecodeError as error:
            kind = "is damaged" if content.strip() else "is empty"
            raise RecordError(f"{where} {kind} ({error}): {mend}") from error
        if record.name != name:
            raise RecordError(f"{where} says that its name is {record.name!r}: rename the file, or {mend}")
        return record

    def _unknown(self, name: str, files: dict[str, str]) -> RecordError:
        there = ", ".join(sorted(files)) or "none; `python -m rollback record` takes one"
        return RecordError(f"no record {name!r} in {self._folder} on {self._host.url}; there is: {there}")

    def _secret(self) -> bytes:
        if self._key is not None:
            return self._key
        path = f"{self._state_dir}/hash.key"
        ran = self._host.shell(_KEY, self._state_dir, f".hash.key.{secrets.token_hex(4)}.new")
        if ran.status == _LOST:
            raise RecordError(
                f"{path} on {self._host.url} is gone although there are records: their environments cannot be compared "
                f"without it. Put it back from a backup, or move {self._folder} away and record again"
            )
        if not ran.ok:
            raise RecordError(
                f"{path} on {self._host.url} could not be made or read: {_last_line(ran.stderr)}"
            )
        if not re.fullmatch(r"[0-9a-f]{64}\n?", ran.stdout):
            raise RecordError(
                f"{path} on {self._host.url} is damaged (not 64 hex digits). Put it back from a backup, or move it and "
                f"{self._folder} away and record again"
            )
        self._key = bytes.fromhex(ran.stdout.strip())
        return self._key


def safe_name(text: str) -> str:
    """The text with everything that may not be in a record's name replaced by `-`."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).lstrip(".-") or "unnamed"


def describe(record: Record) -> str:
    """One line for a list: `2.3.1 a1b2c3d · 2026-11-20 09:12 · healthy`."""
    release = " ".join(part for part in (record.version, (record.revision or "")[:7]) if part) or record.name
    state = f"bad: {record.why_bad}" if record.state == "bad" and record.why_bad else record.state
    return f"{release} · {record.taken_at[:16].replace('T', ' ')} · {state}"


def render(record: Record) -> bytes:
    """The record as JSON for people: what fits on a line is on one line, an object of the manifest for example."""
    return (_pretty(msgspec.to_builtins(record), "") + "\n").encode()


def listing(facts: list[ObjectFacts]) -> tuple[ObjectRecord, ...]:
    """A manifest without content hashes, from a listing."""
    return tuple(ObjectRecord(item.key, item.size, item.etag, None) for item in facts)


def _pretty(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _LINE or not isinstance(value, dict | list | tuple):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        items = [
            f"{json.dumps(key, ensure_ascii=False)}: {_pretty(item, inner)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if all(isinstance(item, float) for item in value):
        return line
    return "[\n" + ",\n".join(inner + _pretty(item, inner) for item in value) + f"\n{indent}]"


def _newest_healthy(records: list[Record]) -> Record | None:
    return next((record for record in records if record.state == "healthy"), None)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
