"""The commands `matrix` and `quiet`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from drills.faults.fault import Fault, FaultError
from drills.stacks.layout import KINDS, PROCESSES

HERE = Path(__file__).parent
_INCONCLUSIVE = 6


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to those of `python -m drills`."""
    matrix = verb(
        "matrix",
        "every fault against every check: what catches it, what is silent, what alarms",
        folder=False,
    )
    matrix.add_argument("names", nargs="*", metavar="NAME", help="faults; all, when left out")
    matrix.add_argument("--family", help="the faults of one family")
    matrix.add_argument("--stack", choices=KINDS, default=PROCESSES)
    matrix.add_argument("--jobs", type=_count, default=1, metavar="N", help="stacks side by side (default 1)")
    matrix.add_argument(
        "--dir", type=Path, default=Path(".matrix"), help="the folder to work in (default .matrix)"
    )
    matrix.add_argument(
        "--resume", action="store_true", help="take only the rows that are not in the folder yet"
    )
    matrix.add_argument(
        "--keep", action="store_true", help="put the rows into the matrix that the repository keeps"
    )
    matrix.set_defaults(run=_matrix)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _chosen(given: argparse.Namespace) -> list[Fault]:
    from drills.faults import catalogue

    faults = [catalogue.find(name) for name in dict.fromkeys(given.names)] or list(catalogue.FAULTS)
    families = sorted({fault.family for fault in catalogue.FAULTS})
    if given.family is not None and given.family not in families:
        raise FaultError(f"there is no family {given.family!r}; there are {', '.join(families)}")
    chosen = [
        fault for fault in faults if given.stack in fault.stacks and given.family in (None, fault.family)
    ]
    if not chosen:
        raise FaultError(f"none of these faults can be made on the stack {given.stack}")
    return chosen


def _matrix(given: argparse.Namespace) -> int:
    from drills.faults import catalogue
    from drills.matrix import page, row, table
    from drills.matrix.report import report as judged
    from drills.matrix.runs import Taking

    faults = _chosen(given)
    whole = not given.names and given.family is None
    folder = given.dir.resolve()
    try:
        matrix = Taking(faults, given.stack, folder, given.jobs, say).take(resume=given.resume)
    except BaseException:
        if (folder / "rows.jsonl").exists():
            again = " ".join(word for word in sys.argv[1:] if word != "--resume")
            print(f"what was taken is kept; go on: python -m drills {again} --resume", file=sys.stderr)
        raise
    report = judged(matrix, whole=whole, wanted=[fault.name for fault in faults])
    row.write(matrix, folder / "matrix.json")
    (folder / "matrix.html").write_text(page.html(matrix, report), "utf-8")
    say(table.text(matrix, report))
    say(f"{folder / 'matrix.json'}\n{folder / 'matrix.html'}")
    if given.keep:
        known = [fault.name for fault in catalogue.FAULTS if given.stack in fault.stacks]
        kept = HERE / f"{given.stack}.json"
        row.write(row.merged(row.read(kept), matrix, known), kept)
        say(f"kept in {kept}")
    return report.exit_code


def say(line: str) -> None:
    """A line for the person, at once."""
    print(line, flush=True)
