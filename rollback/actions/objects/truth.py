"""What record and usage log say of the objects: which there are, and what is in them."""

import msgspec

from rollback.errors import Refused
from rollback.site import Site
from rollback.step import Finding
from target.database import UsageLog, UsageRow
from target.errors import DatabaseError, RecordError
from target.objects import ObjectFacts
from target.record import ObjectRecord, Record

_LOG_S = 60.0
_NEARLY_NONE = 0.1


class Known(msgspec.Struct, frozen=True):
    """What is known of one object; each may be empty. `created` is when its row was written (0: it has none)."""

    sizes: frozenset[int] = frozenset()
    etags: frozenset[str] = frozenset()
    sha256s: frozenset[str] = frozenset()
    created: float = 0.0


class Truth(msgspec.Struct, frozen=True):
    """What is known by key. `recorded` and `logged` are the keys that each names; None where it cannot be asked.

    `own` are those that only this suite's own requests have left: nobody misses one that no backup has.
    """

    known: dict[str, Known]
    recorded: frozenset[str] | None
    logged: frozenset[str] | None
    own: frozenset[str] = frozenset()

    def wants(self, key: str) -> bool:
        """Whether an object of the backup belongs into the bucket: where there is a log, it or the record names it."""
        return self.logged is None or key in self.known


def truth_of(
    recorded: tuple[ObjectRecord, ...] | None, rows: list[UsageRow] | None, mark: str | None = None
) -> Truth:
    """What the two say, put together. `mark` is what the rows of this suite's own requests carry."""
    known: dict[str, Known] = {}
    for item in recorded or ():
        known[item.key] = _with(Known(), item.size, item.etag, item.sha256, 0.0)
    for row in rows or ():
        if row.audio_key is not None:
            before = known.get(row.audio_key, Known())
            known[row.audio_key] = _with(before, row.audio_bytes, None, row.audio_sha256, row.created)
    return Truth(
        known=known,
        recorded=None if recorded is None else frozenset(item.key for item in recorded),
        logged=None
        if rows is None
        else frozenset(row.audio_key for row in rows if row.audio_key is not None),
        own=frozenset(
            row.audio_key
            for row in rows or ()
            if mark is not None and row.mark == mark and row.audio_key is not None
        )
        - {item.key for item in recorded or ()},
    )


def _with(known: Known, size: int | None, etag: str | None, sha256: str | None, created: float) -> Known:
    return Known(
        known.sizes | ({size} if size is not None else set()),
        known.etags | ({etag} if etag else set()),
        known.sha256s | ({sha256.lower()} if sha256 else set()),
        max(known.created, created),
    )


def ask(site: Site, record: Record | None) -> tuple[Truth, list[Finding]]:
    """Ask the record (the one that should be running, where none is given) and the usage log.

    One that cannot be asked is a doubt, not a refusal: storage must be mendable while the database is not.
    """
    findings = []
    recorded = None
    try:
        record = record or site.records.expected()
        recorded = record.objects if record is not None else None
    except RecordError as error:
        findings.append(Finding(f"the record cannot be asked: {error}", doubt=True))
    rows = None
    if site.target.database is not None:
        log = UsageLog(site.target.database, timeout_s=_LOG_S)
        try:
            if not {"id", "created_at", "audio_key"} & set(log.missing_columns()):
                rows = log.rows()
        except DatabaseError as error:
            findings.append(Finding(f"the usage log cannot be asked: {error}", doubt=True))
        finally:
            log.close()
    named = []
    if recorded is not None and record is not None:
        named.append(f"the record {record.name} ({len(recorded)} objects)")
    if rows is not None:
        named.append(f"the usage log ({sum(row.audio_key is not None for row in rows)} recordings)")
    if named:
        findings.append(Finding(f"{' and '.join(named)} {'say' if len(named) > 1 else 'says'} what is good"))
    else:
        findings.append(
            Finding(
                "neither record nor usage log says what is good: only missing objects are copied", doubt=True
            )
        )
    return truth_of(recorded, rows, site.target.mark), findings


def refuse_strangers(
    truth: Truth, live: dict[str, ObjectFacts], backup: dict[str, ObjectFacts], taken: float
) -> None:
    """Refuse where bucket, backup, record and usage log are not of one environment: they share (nearly) no keys.

    `taken` is when the backup was taken: without a log, what came later is unknown to everybody. Raises Refused.
    """
    then = "nothing was changed"
    recorded, logged = truth.recorded or frozenset(), truth.logged or frozenset()
    if recorded and logged and _strange(logged, recorded):
        raise Refused(
            "the usage log names (nearly) none of the recorded objects: is it the database of this environment? "
            f"correct `database.url`, or restore the rows first (python -m rollback database); {then}"
        )
    named = recorded | logged
    if named and backup and _strange(named, set(backup)):
        raise Refused(
            "the backup holds (nearly) none of the objects that record and usage log name: it is the backup of another "
            f"environment; correct `objects.backup_bucket`, or name another backup with --to; {then}"
        )
    judged = set(live)
    if not logged:
        judged = {key for key, facts in live.items() if facts.modified <= taken}
    if judged and (others := named | backup.keys()) and _strange(frozenset(others), judged):
        raise Refused(
            "the bucket holds (nearly) none of the objects that record, usage log and backup name: it is the bucket of "
            f"another environment; correct `objects.bucket` and `objects.endpoint`; {then}"
        )


def _strange(these: frozenset[str], those: frozenset[str] | set[str]) -> bool:
    fewest = min(len(these), len(those))
    return len(these & those) < fewest * _NEARLY_NONE
