"""The code as a part of a snapshot: a dated folder with the package, its requirements, and a manifest."""

from collections.abc import Callable

import msgspec

from rollback import clock, codebackup, folder
from rollback.codebackup import Entry, Manifest
from rollback.errors import Refused
from rollback.snapshots.part import Part
from target import capture
from target.description import Code
from target.errors import HostError, TargetError
from target.record import CodeRecord

_COPY_S = 300.0

# Of every file and link: mode, path, and what a link points to; each ended by NUL.
_FACTS = r"""
cd -- "$1" || exit 1
find . -type f -exec sh -c 'for each; do printf "%s\0%s\0\0" "$(stat -c %a -- "$each")" "$each"; done' sh {} +
find . -type l -exec sh -c 'for each; do printf "777\0%s\0%s\0" "$each" "$(readlink -- "$each")"; done' sh {} +
"""


class CodePart(Part):
    """A new folder by the pattern `code.backups`; a second one of the same day gets its time. None is replaced."""

    name = "code"

    def lacks(self) -> str:
        code = self.site.target.code
        if code is None:
            return "code"
        return "" if code.backups is not None else "code.backups"

    @property
    def _code(self) -> Code:
        assert self.site.target.code is not None
        return self.site.target.code

    def take(self, stamp: str, report: Callable[[str], None]) -> str:
        host, code = self.site.host, self._code
        path = self._free_path(stamp)
        beside = f"{path}.next.{stamp}"
        report(f"{code.package} and {code.requirements} to {path}")
        live = capture.code(self.site.target, host)
        try:
            host.make_folder(path.rpartition("/")[0] or "/", mode=0o755)
            folder.check_room(
                self.site, f"{code.checkout}/{code.package}", "", path.rpartition("/")[0] or "/"
            )
            for name in (code.package, code.requirements):
                if name == code.package or name in live.files:
                    folder.copy(
                        self.site, f"{code.checkout}/{name}", f"{beside}/{name}", timeout_s=_COPY_S, code=True
                    )
            self._write_manifest(beside, stamp, live)
            copied = codebackup.held(self.site, beside, self.site.target)
            if copied.tree_sha256 != live.tree_sha256:
                raise Refused(
                    f"the code in {code.checkout} on {host.url} was changed while it was copied; no backup was made"
                )
        except TargetError:
            folder.remove(self.site, beside)
            raise
        host.rename(beside, path)
        return f"{path}, {len(live.files)} files"

    def prune(self, keep: int) -> list[str]:
        ours = [backup for backup in codebackup.listed(self.site, self._code) if backup.manifest is not None]
        gone = ours[max(1, keep) :]
        for backup in gone:
            # Renamed first: what is half removed must not look like a backup.
            self.site.host.rename(backup.path, f"{backup.path}.gone")
            folder.remove(self.site, f"{backup.path}.gone", timeout_s=_COPY_S)
        return [backup.name for backup in gone]

    def _free_path(self, stamp: str) -> str:
        assert self._code.backups is not None
        moment = clock.of_stamp(stamp)
        path = clock.formatted(moment, self._code.backups)
        return path if self.site.host.facts(path) is None else f"{path}.{stamp[9:]}"

    def _write_manifest(self, beside: str, stamp: str, live: CodeRecord) -> None:
        record = self.site.records.expected()
        if record is not None and record.code is not None and record.code.tree_sha256 != live.tree_sha256:
            record = None
        manifest = Manifest(
            taken_at=clock.iso(clock.of_stamp(stamp)),
            record=record.name if record else None,
            version=record.version if record else None,
            revision=record.revision if record else live.revision,
            package=self._code.package,
            requirements=self._code.requirements,
            tree_sha256=live.tree_sha256,
            files=self._entries(beside, live),
        )
        content = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
        self.site.host.write_atomically(f"{beside}/{codebackup.MANIFEST}", content, mode=0o644)

    def _entries(self, beside: str, live: CodeRecord) -> dict[str, Entry]:
        ran = self.site.host.shell(_FACTS, beside, timeout_s=_COPY_S)
        if not ran.ok:
            raise HostError(
                f"{beside} on {self.site.host.url} cannot be read: {folder.last_line(ran.stderr)}"
            )
        fields = ran.stdout.split("\0")[:-1]
        modes = {
            name.removeprefix("./"): (mode, link or None)
            for mode, name, link in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
        }
        none = ("", None)
        return {name: Entry(sha256, *modes.get(name, none)) for name, sha256 in live.files.items()}
