"""What a dump says of one table, from the sections that pg_dump writes: text that is parsed and never believed."""

import re
from collections.abc import Iterator

import msgspec

from rollback.errors import Refused

# One section of a plain dump, as pg_dump's own comments part them.
_HEADER = re.compile(
    r"-- (?:Data for )?Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*); Owner: (?P<owner>.*)"
)
_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_QUALIFIED = rf"{_IDENTIFIER}\.{_IDENTIFIER}"
_TOKEN = re.compile(
    r"""(?P<gap>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<escaped>[Ee]'(?:[^'\\]|\\.|'')*')
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |(?P<dollar>\$(?P<tag>[A-Za-z_]?[A-Za-z0-9_]*)\$.*?\$(?P=tag)\$)
    |(?P<word>(?![Ee]')[A-Za-z_0-9.$]+)
    |(?P<end>;)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = "'\"$\\Ee"  # what opens a quotation that has no end: a whole one is a token of its own
SETTINGS = re.compile(r"SET [a-z_]+ = ", re.ASCII)


class Section(msgspec.Struct, frozen=True):
    """One section; `type` as pg_dump calls it (TABLE, INDEX, ACL …), `body` its statements as text."""

    name: str
    type: str
    schema: str
    owner: str
    body: str


class Statement(msgspec.Struct, frozen=True):
    """One statement that is allowed; `makes` is the name of the index or constraint that comes of it, if any.

    `kind` says when it is carried out: table, owner, constraint, foreign, grant.
    """

    kind: str
    sql: str
    makes: str = ""
    index: bool = False


class Schema(msgspec.Struct, frozen=True):
    """How to make the table. `owner` is the role that the dump names, empty where it names none.

    `others` names parts that hang on the table and are not made again (triggers, policies).
    """

    statements: tuple[Statement, ...]
    owner: str
    others: tuple[str, ...]

    def of(self, *kinds: str) -> tuple[Statement, ...]:
        """The statements of these kinds, in the order in which they are to be carried out."""
        return tuple(each for kind in kinds for each in self.statements if each.kind == kind)


def header(line: str) -> Section | None:
    """The section that a comment of pg_dump opens, without a body; None for any other line."""
    match = _HEADER.fullmatch(line)
    return (
        None if match is None else Section(match["name"], match["type"], match["schema"], match["owner"], "")
    )


def split(text: str) -> Iterator[str]:
    """The statements of a text, without comments around them. Raises ValueError where a quotation has no end."""
    begun: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "end":
            yield "".join(begun).strip()
            begun = []
        elif match.lastgroup == "other" and match[0] in _OPEN:
            raise ValueError(
                f"an unfinished quotation, or a backslash: {text[match.start() : match.start() + 40]!r}"
            )
        elif match.lastgroup != "gap" or begun:
            begun.append(" " if match[0].startswith(("--", "/*")) else match[0])
    if "".join(begun).strip():
        raise ValueError(f"a statement without its end: {''.join(begun).strip()[:60]!r}")


def quoted(name: str) -> str:
    """An identifier as pg_dump writes it: in quotes only where it needs them (reserved words aside)."""
    if re.fullmatch(r"[a-z_][a-z0-9_$]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def schema_of(sections: list[Section], schema: str, table: str, where: str) -> Schema:
    """What makes the table. Raises Refused for a statement that pg_dump does not write there."""
    ours = _Forms(schema, table, sections)
    found: list[Statement] = []
    others: list[str] = []
    owner = ""
    for section in sections:
        if section.schema != schema:
            continue
        if section.type == "TABLE" and section.name == table:
            owner = section.owner
        if section.type not in FORMS:
            if section.name.split(" ")[0] == table and section.type not in _SILENT:
                others.append(f"{section.type.lower()} {section.name}")
            continue
        try:
            texts = list(split(section.body))
        except ValueError as error:
            raise Refused(f"{where}: in its section {section.type} {section.name}: {error}") from None
        for text in texts:
            if SETTINGS.match(text) or not ours.concerns(text):
                continue
            statement = ours.statement(section, text)
            if statement is None:
                raise Refused(
                    f"{where}: its section {section.type} {section.name} holds what pg_dump does not write there: "
                    f"{' '.join(text.split())[:80]!r}; nothing was changed"
                )
            found.append(statement)
    return Schema(tuple(found), owner if owner not in ("", "-") else "", tuple(others))


# Per type of section: the kind of its statements, and the form each must have. T is the table, S one of its sequences.
FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "TABLE": (
        (
            "table",
            r"CREATE (?:UNLOGGED )?TABLE T \((?!.*\bPARTITION BY\b)(?!.*\bINHERITS\b).*\)(?: WITH \(.*\))?",
        ),
        ("owner", r"ALTER TABLE T OWNER TO ID"),
        ("table", r"ALTER TABLE ONLY T ALTER COLUMN ID SET (?:STORAGE|STATISTICS|COMPRESSION) \w+"),
        ("constraint", r"ALTER TABLE ONLY T REPLICA IDENTITY \w+"),
    ),
    "SEQUENCE": (
        ("table", r"CREATE SEQUENCE S\b[^;()']*"),
        (
            "table",
            r"ALTER TABLE T ALTER COLUMN ID ADD GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY \([^;()']*\)",
        ),
        ("owner", r"ALTER (?:SEQUENCE|TABLE) S OWNER TO ID"),
    ),
    "SEQUENCE OWNED BY": (("table", r"ALTER SEQUENCE S OWNED BY T\.ID"),),
    "DEFAULT": (("table", r"ALTER TABLE (?:ONLY )?T ALTER COLUMN ID SET DEFAULT .*"),),
    "CONSTRAINT": (
        (
            "constraint",
            r"ALTER TABLE ONLY T ADD CONSTRAINT (?P<makes>ID) (?:PRIMARY KEY|UNIQUE|CHECK|EXCLUDE)\b.*",
        ),
    ),
    "CHECK CONSTRAINT": (("constraint", r"ALTER TABLE (?:ONLY )?T ADD CONSTRAINT (?P<makes>ID) CHECK .*"),),
    "FK CONSTRAINT": (
        ("foreign", r"ALTER TABLE ONLY T ADD CONSTRAINT (?P<makes>ID) FOREIGN KEY .* REFERENCES QN.*"),
    ),
    "INDEX": (("constraint", r"CREATE (?:UNIQUE )?INDEX (?P<index>ID) ON (?:ONLY )?T USING .*"),),
    "ACL": (
        (
            "grant",
            r"(?:GRANT|REVOKE) [A-Z, ]+(?:\(.*\))? ON (?:TABLE T|SEQUENCE S) (?:TO|FROM) ID(?: WITH GRANT OPTION)?",
        ),
    ),
}
_SILENT = ("TABLE DATA", "COMMENT", "SEQUENCE SET", "STATISTICS DATA")


class _Forms:
    """The allowed statements, for one table and its sequences."""

    def __init__(self, schema: str, table: str, sections: list[Section]) -> None:
        self.table = f"{quoted(schema)}.{quoted(table)}"
        owned = re.compile(rf"ALTER SEQUENCE ({_QUALIFIED}) OWNED BY {re.escape(self.table)}\.")
        identity = re.compile(
            rf"ALTER TABLE {re.escape(self.table)} .*SEQUENCE NAME ({_QUALIFIED})", re.DOTALL
        )
        bodies = "\n".join(
            section.body for section in sections if section.type in ("SEQUENCE", "SEQUENCE OWNED BY")
        )
        self.sequences = {*owned.findall(bodies), *identity.findall(bodies)}
        names = "|".join(re.escape(name) for name in sorted(self.sequences)) or r"(?!)"
        self._forms = {
            kind: tuple((what, re.compile(self._fill(form, names), re.DOTALL)) for what, form in forms)
            for kind, forms in FORMS.items()
        }
        self._ours = re.compile(rf"(?<![\w.\"$])(?:{re.escape(self.table)}|{names})(?![\w$\"])")

    def concerns(self, text: str) -> bool:
        """Whether a statement is about the table or its sequences: what comes first in it that has a schema."""
        first = re.search(_QUALIFIED, text)
        return first is not None and self._ours.fullmatch(text, first.start(), first.end()) is not None

    def statement(self, section: Section, text: str) -> Statement | None:
        flat = re.sub(r"\s+", " ", text)
        for what, form in self._forms[section.type]:
            match = form.fullmatch(flat)
            if match is None or (text.startswith("CREATE") and what == "table" and not self._is_whole(text)):
                continue
            found = match.groupdict()
            name = found.get("makes") or found.get("index") or ""
            plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
            return Statement(what, text, plain, bool(found.get("index")))
        return None

    @staticmethod
    def _is_whole(text: str) -> bool:
        return text.startswith("CREATE SEQUENCE") or _one_list(text)

    def _fill(self, form: str, sequences: str) -> str:
        words = {
            "QN": _QUALIFIED,
            "ID": _IDENTIFIER,
            "T": re.escape(self.table),
            "S": f"(?:{sequences})",
        }
        return re.sub(r"\b(QN|ID|T|S)\b", lambda match: words[match[0]], form)


def _one_list(text: str) -> bool:
    """Whether a CREATE TABLE is a list in parentheses and, at most, its storage parameters."""
    depth, after = 0, ""
    for match in _TOKEN.finditer(text[text.index("(") :]):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            after = text[text.index("(") + match.end() :].strip()
            break
    return not after or re.fullmatch(r"WITH \([\w\s=,.']*\)", after) is not None
