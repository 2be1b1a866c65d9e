"""Capturing facts of the running deployment: for a record, and for the checks that compare with one."""

import asyncio
import getpass
import hashlib
import itertools
import os
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from target import environment as environment_files
from target import latency, memory, provider_order
from target.api import Answer, Health, health_of, open_api
from target.database import UsageLog, UsageRow
from target.description import Database, Target
from target.errors import HostError, RecordError, TargetError
from target.host import Host
from target.objects import ObjectStore
from target.packages import installed
from target.record import (
    CodeRecord,
    DatabaseRecord,
    EnvironmentRecord,
    ObjectRecord,
    Record,
    Records,
    safe_name,
)
from target.service import service_of, settled

_HOST_S = 60.0
_DATA_S = 30.0
_SHORTEST_REVISION = 7

# Everything in one command. Names end with NUL, since they may hold anything else; RS parts the sections.
_CODE = r"""
cd -- "$1" || exit 1
package=./$2 requirements=./$3
[ -d "$package" ] || { echo "no folder $2 there" >&2; exit 1; }
[ -f "$requirements" ] || requirements=
export LC_ALL=C
each() {
  find "$package" ${requirements:+"$requirements"} \
    \( -name __pycache__ -o -name '*.pyc' \) -prune -o "$@" || exit 1
}
if [ -e .git ]; then git -c safe.directory='*' rev-parse --verify HEAD || exit 1; fi
printf '\036'
each -type f -exec sha256sum -z -- {} +
printf '\036'
each -type f -perm -u+x -exec printf '%s\0' {} +
printf '\036'
each -type l -exec sh -c 'for link; do printf "%s\0%s\0" "$link" "$(readlink "$link")"; done' sh {} +
"""


def environment(target: Target, host: Host, records: Records) -> EnvironmentRecord:
    """Keyed hashes of the environment file that is in place: of its bytes, and of each value as its reader sees it.

    Raises HostError; TargetError when the target names no environment file.
    """
    return _environment(target, host, records)[0]


def packages(target: Target, host: Host) -> tuple[str, dict[str, str]]:
    """Python version and name → version of everything in the service's virtualenv, asked of its own interpreter.

    Names are normalised; an editable one's version ends with ` (editable)`, one that is there twice has both versions.
    Raises HostError; TargetError when the target names no virtualenv.
    """
    if target.virtualenv is None:
        raise TargetError("the target names no virtualenv: add `virtualenv:` with its path on the host")
    interpreter = f"{target.virtualenv.path.rstrip('/')}/bin/python"
    try:
        found = installed(host, interpreter)
    except HostError as error:
        raise HostError(f"{error}; is `virtualenv.path` right, is it whole?") from None
    return found.python, found.packages


def code(target: Target, host: Host, *, suffix: str = "") -> CodeRecord:
    """Hashes of the package folder and of the list of requirements, and the checkout's HEAD. Raises HostError.

    With a `suffix`, of those whose names end with it, as they would be without it.

    The tree's hash knows modes as git does: whether the owner may execute a file. A symlink counts with what it
    points to, as text, in the tree and in `files` (SHA-256 of that text).
    """
    if target.code is None:
        raise TargetError("the target names no code: add `code:` with the checkout's path on the host")
    ran = host.shell(
        _CODE,
        target.code.checkout,
        target.code.package + suffix,
        target.code.requirements + suffix,
        timeout_s=_HOST_S,
    )
    if not ran.ok:
        said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
        raise HostError(
            f"the code in {target.code.checkout} on {host.url} cannot be read: {said}; is `code` in the target right?"
        )
    if suffix:
        bare = {path + suffix: path for path in (target.code.package, target.code.requirements)}
        return _code_of(ran.stdout, bare)
    return _code_of(ran.stdout)


async def record(target: Target, host: Host, records: Records, progress: Callable[[str], None]) -> Record:
    """Capture everything the target offers; it is not saved here, and gets a name that is free.

    Raises RecordError when the service does not say that it is healthy, or when what runs is not what lies on the host:
    another revision than the checkout's, an environment file that was changed after the start.
    """
    api = open_api(target, host)
    try:
        answer = await api.health()
        health = _healthy(answer)
        progress(f"health: {health.system_status}, serves {health.version or 'no version'}")
        now = datetime.fromtimestamp(await asyncio.to_thread(host.now), UTC)
        taken = await asyncio.to_thread(_on_host, target, host, records, health, now, progress)
        database = await asyncio.to_thread(_database, target.database, now, progress)
        manifest = await asyncio.to_thread(_manifest, target, progress)
        baseline = await latency.sample(api, target.budget)
        taken_up = await asyncio.to_thread(_memory, target, host)
        progress(f"latency: {len(baseline.tts)} syntheses, {len(baseline.stt)} transcriptions")
    finally:
        await api.aclose()
    return msgspec.structs.replace(
        taken,
        providers=provider_order.told_by(answer),
        database=database,
        objects=manifest,
        latency=baseline,
        memory_bytes=taken_up,
    )


def _memory(target: Target, host: Host) -> int | None:
    service = service_of(target, host)
    pid = None if service is None else settled(service).pid
    return None if pid is None else memory.resident(host, pid)


def _healthy(answer: Answer) -> Health:
    health = health_of(answer)
    if answer.ok and health.system_status == "healthy":
        return health
    ill = sorted(name for name, state in health.providers.items() if state.status not in (None, "healthy"))
    named = f" (not healthy: {', '.join(ill)})" if ill else ""
    raise RecordError(
        f"nothing was recorded: /health answers {answer.status} and says {health.system_status!r}{named}; "
        "only what is healthy can be a record: "
        "`python -m checks triage` says what is wrong"
    )


def _on_host(
    target: Target,
    host: Host,
    records: Records,
    health: Health,
    now: datetime,
    progress: Callable[[str], None],
) -> Record:
    """What the host tells; everything else of the record is filled in later."""
    tree = None if target.code is None else code(target, host)
    revision = health.revision
    if tree is not None:
        revision = _same_revision(health.revision, tree.revision)
        progress(f"code: {len(tree.files)} files{f' at {tree.revision[:7]}' if tree.revision else ''}")
    service = service_of(target, host)
    variables = None
    if target.environment is not None:
        started = None if service is None else settled(service).started_at
        variables = _running_environment(target, host, records, started)
        progress(f"environment: {len(variables.values)} variables")
    python, installed = (None, None) if target.virtualenv is None else packages(target, host)
    if installed is not None:
        progress(f"packages: {len(installed)}, Python {python}")
    return Record(
        name=_free_name(records, health.version, revision or (tree.revision if tree else None), now),
        version=health.version,
        revision=revision,
        taken_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        taken_by=_who(),
        state="healthy",
        image_digest=None if service is None else service.image_digest(),
        environment=variables,
        packages=installed,
        python=python,
        code=tree,
    )


def _same_revision(served: str | None, checked_out: str | None) -> str | None:
    """The revision that is served, in full where the checkout tells it. Raises RecordError when they disagree."""
    if served is None or checked_out is None:
        return served
    if len(served) >= _SHORTEST_REVISION and checked_out.startswith(served.lower()):
        return checked_out
    raise RecordError(
        f"nothing was recorded: the service serves {served[:12]}, and the checkout is at {checked_out[:12]}; "
        "restart the service, so that what runs is what lies there"
    )


def _running_environment(
    target: Target, host: Host, records: Records, started: float | None
) -> EnvironmentRecord:
    """The environment file, if it is whole and the one that the process started with."""
    variables, reading = _environment(target, host, records)
    assert target.environment is not None
    file = target.environment.file
    if reading.faults:
        raise RecordError(
            f"nothing was recorded: {file} on {host.url} is not whole for {target.environment.reader}: "
            f"{reading.faults[0]}; mend it, restart the service, and record again"
        )
    facts = host.facts(file)
    if facts is not None and started is not None and facts.changed > started:
        raise RecordError(
            f"nothing was recorded: {file} on {host.url} was changed after the service started, so that another "
            "environment may be what runs; restart the service, and record again"
        )
    return variables


def _free_name(records: Records, version: str | None, revision: str | None, now: datetime) -> str:
    parts = [part for part in (version, (revision or "")[:_SHORTEST_REVISION]) if part]
    name = safe_name("-".join(parts) or now.strftime("%Y%m%dT%H%M%SZ"))
    taken = {each.name for each in records.all()}
    candidates = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(each for each in candidates if each not in taken)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name is known by number
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _database(
    database: Database | None, now: datetime, progress: Callable[[str], None]
) -> DatabaseRecord | None:
    if database is None:
        return None
    log = UsageLog(database, timeout_s=_DATA_S)
    try:
        facts = log.facts()
    finally:
        log.close()
    today = now.date().isoformat()
    over = {day: count for day, count in facts.rows_per_day.items() if day < today}
    progress(f"database: revision {facts.revision or 'none'}, {sum(over.values())} rows on {len(over)} days")
    return DatabaseRecord(
        system_identifier=facts.system_identifier,
        revision=facts.revision,
        columns=facts.columns,
        indexes=facts.indexes,
        rows_per_day=over,
    )


def _manifest(target: Target, progress: Callable[[str], None]) -> tuple[ObjectRecord, ...] | None:
    """Every object but those of the suite's own requests, with the hash that the usage log has for it."""
    if target.objects is None:
        return None
    rows = _rows_by_key(target.database)
    store = ObjectStore(target.objects, timeout_s=_DATA_S)
    try:
        listed = sorted(store.list(), key=lambda item: item.key)
    finally:
        store.close()
    manifest = []
    for item in listed:
        row = rows.get(item.key)
        if row is None or row.mark != target.mark:
            sha256 = row.audio_sha256 if row else None
            manifest.append(ObjectRecord(item.key, item.size, item.etag, sha256))
    progress(f"objects: {len(manifest)} in {target.objects.bucket}")
    return tuple(manifest)


def _rows_by_key(database: Database | None) -> dict[str, UsageRow]:
    if database is None:
        return {}
    log = UsageLog(database, timeout_s=_DATA_S)
    try:
        if {"id", "created_at", "audio_key"} & set(log.missing_columns()):
            return {}
        return {row.audio_key: row for row in log.rows() if row.audio_key is not None}
    finally:
        log.close()


def _code_of(output: str, bare: Mapping[str, str] | None = None) -> CodeRecord:
    """From what the script printed: HEAD, hashes, names of what is executable, links with what they point to.

    `bare` maps paths to the ones that they count as.
    """

    def known_as(path: str) -> str:
        path = path.removeprefix("./")
        for name, counts in (bare or {}).items():
            if path == name or path.startswith(f"{name}/"):
                return counts + path.removeprefix(name)
        return path

    head, hashed, executable, linked = output.split("\x1e")
    files = {}
    modes = {}
    for line in hashed.split("\0")[:-1]:
        sha256, name = line.split("  ", 1)
        files[known_as(name)] = sha256
    for name in executable.split("\0")[:-1]:
        modes[known_as(name)] = "100755"
    links = linked.split("\0")[:-1]
    for name, points_to in zip(links[::2], links[1::2], strict=True):
        files[known_as(name)] = hashlib.sha256(points_to.encode()).hexdigest()
        modes[known_as(name)] = "120000"
    tree = hashlib.sha256()
    for name in sorted(files):
        tree.update(f"{modes.get(name, '100644')} {files[name]} {name}\0".encode())
    return CodeRecord(tree.hexdigest(), dict(sorted(files.items())), head.strip() or None)


def _environment(
    target: Target, host: Host, records: Records
) -> tuple[EnvironmentRecord, environment_files.Reading]:
    if target.environment is None:
        raise TargetError(
            "the target names no environment file: add `environment:` with its path on the host"
        )
    content = host.read(target.environment.file)
    reading = environment_files.read(content, target.environment.reader)
    values = {
        name: records.keyed_hash(value.encode("utf-8", "surrogateescape"))
        for name, value in sorted(reading.variables.items())
    }
    return EnvironmentRecord(records.keyed_hash(content), values), reading
