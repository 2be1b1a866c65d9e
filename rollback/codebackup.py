"""Dated backups of the code: folders with the package, its list of requirements, and a manifest that tells both."""

import datetime
import re
from typing import Literal

import msgspec

from rollback.site import Site
from target import capture
from target.description import Code, Target
from target.errors import HostError
from target.record import CodeRecord, Record

MANIFEST = "manifest.json"
_LOOK_S = 60.0
_SHOWN = 3

# Each folder of $1 whose name begins with $2, with its manifest.
_LIST = r"""
cd -- "$1" 2>/dev/null || exit 0
for each in "$2"*; do
    [ -d "$each" ] || continue
    printf '\036%s\036' "$each"
    [ ! -f "$each/$3" ] || cat -- "$each/$3"
done
"""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of a backup: SHA-256 of its content, or of what a link points to as text; its mode as `stat` has it."""

    sha256: str
    mode: str
    link: str | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `record`, `version`, `revision` are of the release that ran; `files` are by path."""

    format: Literal[1] = 1
    taken_at: str
    record: str | None
    version: str | None
    revision: str | None
    package: str
    requirements: str
    tree_sha256: str
    files: dict[str, Entry]


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A dated folder. `taken` is in seconds since the epoch; `fault` is why its manifest cannot be used."""

    path: str
    taken: float
    manifest: Manifest | None
    fault: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def says(self) -> str:
        """`voice_v2_20261123 (2.3.1)`."""
        told = self.manifest and (self.manifest.version or self.manifest.record)
        return f"{self.name} ({told or self.fault or 'no manifest'})"


def of_pattern(pattern: str) -> tuple[str, str, re.Pattern[str]]:
    """The folder of the backups, what their names begin with, and how they look; a second of a day has its time too."""
    folder, _, name = pattern.rpartition("/")
    parts = re.split("(%[YmdHMS])", name)
    digits = {"%Y": r"\d{4}"}
    looks = "".join(digits.get(part, r"\d\d") if part[:1] == "%" else re.escape(part) for part in parts)
    return folder or "/", parts[0], re.compile(rf"({looks})(\.\d{{6}}Z)?")


def listed(site: Site, code: Code) -> list[Backup]:
    """All that there are, the newest first. Raises HostError."""
    assert code.backups is not None
    folder, begins, looks = of_pattern(code.backups)
    ran = site.host.shell(_LIST, folder, begins, MANIFEST, timeout_s=_LOOK_S)
    if not ran.ok:
        raise HostError(f"{folder} on {site.host.url} cannot be read: {ran.stderr.strip()}")
    fields = ran.stdout.split("\x1e")[1:]
    found = []
    for name, content in zip(fields[::2], fields[1::2], strict=True):
        match = looks.fullmatch(name)
        taken = match and _day(match[1], code.backups.rpartition("/")[2])
        if taken:
            found.append(_backup(f"{folder}/{name}", content, taken))
    return sorted(found, key=lambda backup: (backup.taken, backup.name), reverse=True)


def at(site: Site, path: str) -> Backup:
    """The backup in a folder that somebody named; without a manifest it is as old as the folder. Raises HostError."""
    path = path.rstrip("/")
    facts = site.host.facts(path)
    if facts is None or facts.kind not in ("directory", "symlink"):
        raise HostError(f"{path} is not a folder on {site.host.url}")
    manifest = f"{path}/{MANIFEST}"
    content = site.host.read(manifest).decode("utf-8", "replace") if site.host.facts(manifest) else ""
    return _backup(path, content, facts.modified)


def held(site: Site, backup: str, target: Target) -> CodeRecord:
    """What a backup holds now. Raises HostError."""
    assert target.code is not None
    there = msgspec.structs.replace(target, code=msgspec.structs.replace(target.code, checkout=backup))
    return capture.code(there, site.host)


def incomplete(manifest: Manifest, found: CodeRecord) -> list[str]:
    """What is not as the manifest says, in words."""
    told = []
    for name in sorted(manifest.files.keys() | found.files.keys()):
        wanted, has = manifest.files.get(name), found.files.get(name)
        if wanted is None:
            told.append(f"{name} is too much")
        elif has is None:
            told.append(f"{name} is missing")
        elif has != wanted.sha256:
            told.append(f"{name} was changed")
    if not told and found.tree_sha256 != manifest.tree_sha256:
        told.append("modes of files were changed")
    more = len(told) - _SHOWN
    return told[:_SHOWN] + ([f"{more} more"] if more > 0 else [])


def is_of(backup: Backup, record: Record) -> bool:
    """Whether it is a backup of that record: by its code, where the record knows it."""
    if backup.manifest is None:
        return False
    if record.code is not None:
        return backup.manifest.tree_sha256 == record.code.tree_sha256
    return backup.manifest.record == record.name


def _day(name: str, pattern: str) -> float | None:
    """Seconds since the epoch; None where it is no date."""
    try:
        return datetime.datetime.strptime(name, pattern).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None


def _backup(path: str, content: str, taken: float) -> Backup:
    if not content.strip():
        return Backup(path=path, taken=taken, manifest=None)
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        moment = datetime.datetime.fromisoformat(manifest.taken_at)
    except (msgspec.DecodeError, ValueError) as error:
        return Backup(
            path=path, taken=taken, manifest=None, fault=f"its manifest cannot be understood: {error}"
        )
    return Backup(path=path, taken=moment.timestamp(), manifest=manifest)
