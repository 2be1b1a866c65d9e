"""A dump on the host: what kind it is, judged by its content, and what it says of the table."""

import re

import msgspec

from rollback.database import reading
from rollback.database.statements import Schema, Section, header, schema_of
from rollback.errors import Refused
from target.host import Host, Ran

_READ_S = 600.0
_MOST_TEXT = 8 << 20
_MAGIC = b"PGDMP"
_KINDS = (
    (
        b"PostgreSQL database cluster dump",
        "a dump of a whole cluster (pg_dumpall), which holds commands for others",
    ),
    (b"toc.dat", "a dump in tar format"),
)
_COPY = re.compile(r"COPY (?P<table>.+?) \((?P<columns>.*)\) FROM stdin;")
_PART = re.compile(r'"((?:[^"]|"")*)"|([^".,\s]+)')


class File(msgspec.Struct, frozen=True):
    """The file; `kind` is custom or plain, `packed` whether it is inside gzip. `modified` seconds since the epoch."""

    path: str
    size: int
    modified: float
    sha256: str
    kind: str
    packed: bool

    @property
    def says(self) -> str:
        """A few words for what it is."""
        text = "custom format" if self.kind == "custom" else "plain SQL"
        return f"{text}, gzip" if self.packed else text


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside. `copy` is the line that begins the table's rows, `columns` are those of it.

    `rows` and `bytes` are those of the table. `revision` is alembic's, None where the dump has no such table.
    """

    copy: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    revision: str | None
    schema: Schema
    encoding: str
    server: int | None
    client: int | None


class Tools(msgspec.Struct, frozen=True):
    """PostgreSQL's programs on the host, and their major versions (None: not there)."""

    restore: str
    psql: str
    dump: str
    restore_version: int | None
    psql_version: int | None
    dump_version: int | None


def tools_of(host: Host, folder: str | None) -> Tools:
    """The programs in a folder, or on PATH."""
    head = f"{folder.rstrip('/')}/" if folder else ""
    restore, psql, dump = (f"{head}{name}" for name in ("pg_restore", "psql", "pg_dump"))
    lines = host.shell(reading.VERSIONS, restore, psql, dump).stdout.split("\n")
    return Tools(restore, psql, dump, major(lines[0]), major(lines[1]), major(lines[2]))


def major(text: str) -> int | None:
    """The major version in `pg_dump (PostgreSQL) 18.1` or `15.2 (Debian …)`."""
    found = re.search(r"(?:^|\s)(\d+)(?:\.\d+|beta\d+|rc\d+|devel)", text)
    return int(found[1]) if found else None


def look(host: Host, path: str) -> File:
    """What the file is. Raises Refused when it is none that can be restored, HostError when it cannot be read."""
    ran = host.shell(reading.LOOK, path, timeout_s=_READ_S)
    if not ran.ok:
        raise Refused(f"{path} on {host.url} cannot be read: {_last(ran)}; nothing was changed")
    size, sha256, packed, *start = ran.stdout.split("\n")
    begins = bytes.fromhex(start[0] if start else "")
    length, _, modified = size.partition(" ")
    for sign, what in _KINDS:
        if sign in begins:
            raise Refused(
                f"{path} on {host.url} is {what}: this takes pg_dump's plain SQL and custom format, also inside gzip; "
                "nothing was changed"
            )
    if begins.startswith(_MAGIC):
        kind = "custom"
    elif b"PostgreSQL database dump" in begins:
        kind = "plain"
    else:
        inside = "is empty" if not begins else "does not begin as a dump of pg_dump does"
        raise Refused(f"{path} on {host.url} {inside}: cut short, or another file; nothing was changed")
    return File(path, int(length), float(modified), sha256, kind, packed == "packed")


def read(host: Host, file: File, tools: Tools, table: tuple[str, str]) -> Content:
    """Read all of it once. Raises Refused: truncated, of another table, not as pg_dump writes it, tools too old."""
    where = f"{file.path} on {host.url}"
    if file.kind == "custom" and tools.restore_version is None:
        raise Refused(
            f"{where} is in custom format, and there is no {tools.restore} to read it: install PostgreSQL's client "
            "programs there, or name their folder as `database.tools`; nothing was changed"
        )
    ran = host.shell(reading.READ, *arguments(file, tools, table), timeout_s=_READ_S)
    if not ran.ok:
        raise Refused(f"{_unreadable(where, file, tools, ran)}; nothing was changed")
    if len(ran.stdout) > _MOST_TEXT:
        raise Refused(
            f"{where} describes too many other tables; dump this one alone (pg_dump -t); nothing was changed"
        )
    return parse(ran.stdout, where, table)


def arguments(file: File, tools: Tools, table: tuple[str, str]) -> tuple[str, ...]:
    """What the reading scripts are given first."""
    packed = "packed" if file.packed else "plain"
    return (file.kind, packed, file.path, tools.restore, " ".join(table))


def parse(text: str, where: str, table: tuple[str, str]) -> Content:
    """What the reading script printed. Raises Refused."""
    stays = "nothing was changed"
    found = _Lines(text, table)
    if not found.complete:
        raise Refused(
            f"{where} is truncated: it has no end mark of pg_dump; take an older one: --to DUMP; {stays}"
        )
    if found.foreign:
        raise Refused(
            f"{where} holds a command for psql that pg_dump does not write ({found.foreign[:40]!r}): it was written or "
            f"changed by other means; {stays}"
        )
    if found.copy is None:
        name = ".".join(table)
        if found.inserts:
            raise Refused(
                f"{where} has its rows as INSERT statements: dumps are read in pg_dump's own way, with COPY; {stays}"
            )
        others = ", ".join(sorted(found.tables)[:4]) or "no table"
        raise Refused(f"{where} has no rows of {name}: it is a dump of {others}; {stays}")
    revision = ",".join(sorted(found.revisions)) if found.has_revisions else None
    return Content(
        copy=found.copy[0],
        columns=found.copy[1],
        rows=found.rows,
        bytes=found.bytes,
        revision=revision or None,
        schema=schema_of(found.sections, *table, where),
        encoding=found.encoding,
        server=found.server,
        client=found.client,
    )


class _Lines:
    """The lines of the reading script, sorted."""

    def __init__(self, text: str, table: tuple[str, str]) -> None:
        self.sections: list[Section] = []
        self.tables: set[str] = set()
        self.revisions: list[str] = []
        self.copy: tuple[str, tuple[str, ...]] | None = None
        self.rows = self.bytes = 0
        self.encoding, self.foreign = "UTF8", ""
        self.server: int | None = None
        self.client: int | None = None
        self.complete = self.inserts = self.has_revisions = False
        self._table, self._ours = table, False
        self._body: list[str] = []
        for line in text.split("\n"):
            if line:
                self._take(line[0], line[1:])
        self._close()

    def _take(self, kind: str, rest: str) -> None:
        match kind:
            case "H":
                self._close()
                self.sections += [opened] if (opened := header(rest)) else []
            case "B":
                self._body.append(rest)
            case "C":
                self._copy(rest)
            case "R":
                self.revisions.append(rest)
            case "N" if self._ours:
                self.rows, self.bytes = (int(number) for number in rest.split())
            case "V" | "E":
                self._setting(rest)
            case "M" | "I" | "Z":
                self._whole(kind, rest)

    def _setting(self, line: str) -> None:
        if line.startswith("SET"):
            self.encoding = line.split("'")[1]
        elif "from database" in line:
            self.server = major(line)
        else:
            self.client = major(line)

    def _whole(self, kind: str, rest: str) -> None:
        self.foreign = self.foreign or (rest if kind == "M" else "")
        self.inserts = self.inserts or kind == "I"
        self.complete = self.complete or (kind == "Z" and rest == "1")

    def _copy(self, line: str) -> None:
        match = _COPY.fullmatch(line)
        names = _names(match["table"]) if match else ()
        self.tables.add(".".join(names))
        self.has_revisions = self.has_revisions or names[-1:] == ("alembic_version",)
        self._ours = names == self._table
        if match and self._ours:
            self.copy = (line, _names(match["columns"]))

    def _close(self) -> None:
        if self.sections and self._body:
            self.sections[-1] = msgspec.structs.replace(self.sections[-1], body="\n".join(self._body))
        self._body = []


def _names(text: str) -> tuple[str, ...]:
    return tuple(
        match[1].replace('""', '"') if match[1] is not None else match[2] for match in _PART.finditer(text)
    )


def _unreadable(where: str, file: File, tools: Tools, ran: Ran) -> str:
    said = _last(ran)
    if "unsupported version" in said:
        return (
            f"{where} is newer than the program that has to read it: {tools.restore} is version "
            f"{tools.restore_version}, and says {said!r}: name newer programs as `database.tools`"
        )
    how = "gzip" if file.packed and "gzip" in said else ""
    return (
        f"{where} is truncated or damaged{f' ({how})' if how else ''}: {said}; take an older one: --to DUMP"
    )


def _last(ran: Ran) -> str:
    lines = ran.stderr.strip().splitlines()
    return lines[-1] if lines else f"status {ran.status}"
