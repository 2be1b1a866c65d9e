"""A row of the matrix: what every criterion said while one fault was active; and the file that keeps the rows."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from drills.faults.fault import Fault
from drills.stacks.errors import StackError

FORMAT = 1
HEALTHY = "healthy"
_READY = "service_ready"
HoleKind = Literal["not caught", "false silence", "false alarm", "named wrong", "never red", "not elsewhere"]
SCHEMA = Path(__file__).with_name("matrix.schema.json")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fault against every check. `must`, `may` and `first` are the fault's, as it was when the row was judged.

    `failed` and `inconclusive` map a criterion to its evidence, in the order of the verdict. `after` is the fault that
    was active before on the same stack. Seconds: to inject with proof, from then to the verdict, to heal. `trouble` is
    why the row is inconclusive, empty where it is not. A row of no fault (`healthy`) says what a stack that should be
    well shows.

    What follows from that is always worked out anew: `caught_by`, those that had to fail and did; `silent`, those that
    had to and did not, but for what cannot be asked of a service that does not answer, where that may be; `alarms`,
    those that failed and neither had to nor might.
    """

    fault: str
    family: str = ""
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    commit: str = ""
    taken_at: str = ""
    after: str = ""
    landed: str = ""
    inject_s: float | None = None
    verdict_s: float | None = None
    heal_s: float | None = None
    exit_code: int | None = None
    failed: dict[str, str] = {}
    inconclusive: dict[str, str] = {}
    passed: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()
    trouble: str = ""
    caught_by: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        expected = {*self.must, *self.may}
        # Of a service that does not answer its readiness is told, and nothing that would have to ask it.
        dead = _READY in self.failed and _READY in expected
        unasked = self.inconclusive if dead else {}
        told = {
            "caught_by": tuple(n for n in self.failed if n in self.must or (dead and n == _READY)),
            "silent": tuple(n for n in self.must if n not in self.failed and n not in unasked),
            "alarms": tuple(name for name in self.failed if name not in expected),
        }
        for name, value in told.items():
            msgspec.structs.force_setattr(self, name, value)

    @property
    def criteria(self) -> set[str]:
        """Every criterion that the row says something of."""
        return {*self.failed, *self.inconclusive, *self.passed, *self.not_applicable}

    @property
    def seconds(self) -> float:
        """How long the whole row took."""
        return (self.inject_s or 0.0) + (self.verdict_s or 0.0) + (self.heal_s or 0.0)


class Hole(msgspec.Struct, frozen=True):
    """Something that a check, a fault or the list of either has to be mended for; `of` is a fault or a criterion."""

    kind: HoleKind
    of: str
    what: str


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one stack; commit, date (UTC), cores of the machine and seconds are those of the newest run in it.

    `holes` and `exit_code` as they were judged when it was written.
    """

    schema: int = FORMAT
    stack: str
    commit: str
    taken_at: str
    cores: int
    jobs: int
    seconds: float
    exit_code: int | None = None
    holes: tuple[Hole, ...] = ()
    rows: tuple[Row, ...]


def of(fault: Fault, row: Row) -> Row:
    """The row with what the fault now says that has to be seen; what was seen stays."""
    return msgspec.structs.replace(
        row, family=fault.family, must=fault.must, may=fault.may, first=fault.first
    )


def merged(kept: Matrix | None, new: Matrix, known: Iterable[str]) -> Matrix:
    """The new rows, and those kept of before that were not taken again; of faults that there are."""
    order = {name: number for number, name in enumerate(known)}
    rows = {row.fault: row for row in (kept.rows if kept else ()) if row.fault in order}
    rows |= {row.fault: row for row in new.rows if row.fault in order}
    healthy = [row for row in new.rows if row.fault == HEALTHY]
    ordered = sorted(rows.values(), key=lambda row: order[row.fault])
    return msgspec.structs.replace(new, rows=(*healthy, *ordered))


def write(matrix: Matrix, path: Path) -> None:
    """Write it atomically, a line a row, so that a change of one shows as one. Raises OSError."""
    head = {name: value for name, value in msgspec.to_builtins(matrix).items() if name != "rows"}
    lines = [json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": [']
    rows = [json.dumps(msgspec.to_builtins(row), ensure_ascii=False) for row in matrix.rows]
    lines += [f"{row}," for row in rows[:-1]] + rows[-1:] + ["]}"]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n".join(lines) + "\n", "utf-8")
    temporary.replace(path)


def read(path: Path) -> Matrix | None:
    """The matrix in a file, None where there is none. Raises StackError when it is not one, or of another format."""
    try:
        matrix = msgspec.json.decode(path.read_bytes(), type=Matrix)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StackError(f"{path} is not a matrix: {error}; take it again: python -m drills matrix") from None
    if matrix.schema != FORMAT:
        raise StackError(f"{path} has schema {matrix.schema}, this reads {FORMAT}; take it again")
    return matrix


def schema() -> str:
    """The JSON Schema of `matrix.json`, as kept in the repository."""
    return json.dumps(msgspec.json.schema(Matrix), indent=2, ensure_ascii=False) + "\n"
