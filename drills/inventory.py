"""What a stack consists of at a moment: files, processes, objects, rows, schema; and what differs between two."""

import hashlib
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import urllib3
from minio.error import MinioException

from drills.stacks.errors import StackError
from drills.stacks.stack import PARTS, Stack
from drills.stacks.storage import BACKUP_BUCKET, BUCKET

_TABLES = """
SELECT table_schema || '.' || table_name,
       string_agg(column_name || ' ' || data_type || ' ' || is_nullable, ', ' ORDER BY ordinal_position)
FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1
UNION ALL
SELECT 'index ' || schemaname || '.' || indexname, indexdef
FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT 'constraint ' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'database ' || datname, '' FROM pg_database
"""
_ROWS = "SELECT request_id::text, coalesce(client, ''), audio_key, md5(t::text) FROM voice_usage_logs t"


class FileFacts(msgspec.Struct, frozen=True):
    """A file, folder or link. `content` is the SHA-256 of a file, where a link leads, and empty for a folder."""

    mode: int
    owner: int
    group: int
    changed_ns: int
    content: str
    stamp: tuple[int, ...]  # while it is the same, so is the content


class Row(msgspec.Struct, frozen=True):
    """A row of the usage log: who had it written, the object that it names, and a hash of all of it."""

    client: str
    audio_key: str | None
    hash: str


class Part(msgspec.Struct, frozen=True):
    """A process of the stack, in supervisord's words."""

    state: str
    pid: int


class OnHost(msgspec.Struct, frozen=True):
    """What can be looked at whatever is broken: files by path in the stack's folder, processes by the part's name."""

    files: Mapping[str, FileFacts]
    parts: Mapping[str, Part]


class Object(msgspec.Struct, frozen=True):
    """An object: a hash of its content, and when it was written by the storage's clock (seconds since the epoch)."""

    content: str
    written: float


class Inventory(msgspec.Struct, frozen=True):
    """Everything by name: objects by bucket and key, rows by request, tables and what belongs to them."""

    on_host: OnHost
    objects: Mapping[str, Object]
    rows: Mapping[str, tuple[Row, ...]]
    schema: Mapping[str, str]


class Broken(msgspec.Struct, frozen=True):
    """How a fault left it; of the schema nothing where the database does not answer."""

    on_host: OnHost
    schema: Mapping[str, str]


class Change(msgspec.Struct, frozen=True):
    """Something that is not what it was. `how`: new, gone, content, mode, owner, time."""

    kind: str
    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.how}"


def take(stack: Stack, before: Inventory | None = None) -> Inventory:
    """The inventory of a stack. Raises StackError when a part of it cannot be asked.

    `before` spares the reading of files that were not touched since.
    """
    with ThreadPoolExecutor(2) as threads:
        near = threads.submit(on_host, stack, before.on_host if before else None)
        objects = threads.submit(_objects, stack)
        rows, schema = _database(stack)
        return Inventory(near.result(), objects.result(), rows, schema)


def broken(stack: Stack, before: Inventory) -> Broken:
    """What can be counted while a fault is active. Raises StackError."""
    try:
        schema = _database(stack)[1]
    except StackError:
        schema = {}
    return Broken(on_host(stack, before.on_host), schema)


def on_host(stack: Stack, before: OnHost | None = None) -> OnHost:
    """Files and processes. Raises StackError."""
    states = [stack.supervisor.state(name) for name in PARTS]
    parts = {state.name: Part(state.state, state.pid) for state in states}
    return OnHost(_files(stack, before.files if before else {}), parts)


def _files(stack: Stack, before: Mapping[str, FileFacts]) -> dict[str, FileFacts]:
    """Those of the service, its virtualenv, its repository, its backups and the rollback's state."""
    layout = stack.layout
    found: dict[str, FileFacts] = {}
    roots = (layout.service, layout.repository, layout.backups, layout.state, layout.compose)
    for root in (*roots, *layout.root.glob(f"{layout.venv.name}*")):
        for path in (root, *_below(root)) if root.exists() else ():
            name = str(path.relative_to(layout.root))
            # The service and git may take a file away between listing and reading it.
            try:
                found[name] = _facts(path, before.get(name))
            except FileNotFoundError:
                continue
    return found


def _below(root: Path) -> list[Path]:
    return [
        Path(folder) / name
        for folder, folders, names in os.walk(root)
        for name in (*folders, *names)
        if name != "__pycache__" and not folder.endswith("__pycache__")
    ]


def _facts(path: Path, before: FileFacts | None) -> FileFacts:
    seen = path.lstat()
    stamp = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    if before is not None and before.stamp == stamp:
        content = before.content
    elif stat.S_ISLNK(seen.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(seen.st_mode):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        content = ""
    return FileFacts(seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, content, stamp)


def _objects(stack: Stack) -> dict[str, Object]:
    store = stack.store()
    try:
        return {
            f"{bucket}/{item.object_name}": Object(
                f"{item.size} {item.etag}", item.last_modified.timestamp() if item.last_modified else 0.0
            )
            for bucket in (BUCKET, BACKUP_BUCKET)
            for item in store.list_objects(bucket, recursive=True)
        }
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise StackError(f"the storage cannot be listed: {str(error)[:200]}") from None


def _database(stack: Stack) -> tuple[dict[str, tuple[Row, ...]], dict[str, str]]:
    rows: dict[str, list[Row]] = {}
    with stack.database() as connection:
        schema = {str(name): str(definition) for name, definition in connection.execute(_TABLES)}
        if "public.voice_usage_logs" in schema:
            for request, client, key, digest in connection.execute(_ROWS):
                rows.setdefault(request, []).append(Row(client, key, digest))
    return {request: tuple(found) for request, found in rows.items()}, schema


def file_changes(before: Mapping[str, FileFacts], after: Mapping[str, FileFacts]) -> list[Change]:
    """What differs between the files of two inventories."""
    return [
        Change("file", name, how)
        for name in sorted({*before, *after})
        for how in _how(before.get(name), after.get(name))
    ]


def _how(one: FileFacts | None, other: FileFacts | None) -> list[str]:
    if one is None or other is None:
        return ["new" if one is None else "gone"]
    hows = []
    if (one.content, stat.S_IFMT(one.mode)) != (other.content, stat.S_IFMT(other.mode)):
        hows.append("content")
    if stat.S_IMODE(one.mode) != stat.S_IMODE(other.mode):
        hows.append("mode")
    if (one.owner, one.group) != (other.owner, other.group):
        hows.append("owner")
    # A folder's time tells of what was put into it, and a link's of nothing that counts.
    if one.changed_ns != other.changed_ns and stat.S_ISREG(other.mode):
        hows.append("time")
    return hows


def store_changes(before: Inventory, after: Inventory, known_clients: frozenset[str]) -> list[Change]:
    """What differs beside the files, but for what `known_clients` had the service write meanwhile."""
    changes = [
        Change("process", name, f"{part.state}, was {before.on_host.parts[name].state}")
        for name, part in after.on_host.parts.items()
        if part.state != before.on_host.parts[name].state
    ]
    changes += _mapping("schema", before.schema, after.schema)
    changes += [
        change
        for change in _mapping("row", before.rows, after.rows)
        if change.how != "new"
        or len(after.rows[change.name]) > 1
        or after.rows[change.name][0].client not in known_clients
    ]
    written = {
        f"{BUCKET}/{row.audio_key}"
        for request, rows in after.rows.items()
        if request not in before.rows
        for row in rows
    }
    changes += [
        change
        for change in _mapping("object", _contents(before), _contents(after))
        if change.how != "new" or change.name not in written
    ]
    return changes


def _contents(inventory: Inventory) -> dict[str, str]:
    return {name: item.content for name, item in inventory.objects.items()}


def _mapping(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> list[Change]:
    new = [Change(kind, name, "new") for name in sorted(after.keys() - before.keys())]
    gone = [Change(kind, name, "gone") for name in sorted(before.keys() - after.keys())]
    other = [
        Change(kind, name, "content")
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    return gone + other + new
