"""The commands `matrix` and `quiet`."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.faults.fault import Fault, FaultError
from drills.stacks.layout import KINDS, PROCESSES

_STACK = "what the stacks are made of (default: %(default)s)"


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to those of `python -m drills`."""
    matrix = verb(
        "matrix",
        "every fault against every check: what catches it, what is silent, what alarms",
        folder=False,
    )
    matrix.add_argument("names", nargs="*", metavar="NAME", help="faults; all, when left out")
    matrix.add_argument("--family", help="the faults of one family")
    matrix.add_argument("--stack", choices=KINDS, default=PROCESSES, help=_STACK)
    matrix.add_argument("--jobs", type=count, default=1, metavar="N", help="stacks side by side (default 1)")
    matrix.add_argument(
        "--dir", type=Path, default=Path(".matrix"), help="the folder to work in (default .matrix)"
    )
    matrix.add_argument(
        "--resume", action="store_true", help="take only the rows that are not in the folder yet"
    )
    matrix.add_argument(
        "--keep", action="store_true", help="put the rows into the matrix that the repository keeps"
    )
    matrix.add_argument(
        "--mutate",
        action="store_true",
        help="break each check's decision instead, on one stack, and show that the matrix would go red",
    )
    matrix.set_defaults(run=_matrix)
    quiet = verb("quiet", "healthy runs of the checks, none of which may alarm", folder=False)
    quiet.add_argument("--runs", type=count, default=300, metavar="N", help="how many in all (default 300)")
    quiet.add_argument("--stack", choices=KINDS, default=PROCESSES, help=_STACK)
    quiet.add_argument(
        "--dir", type=Path, default=Path(".quiet"), help="the folder to work in (default .quiet)"
    )
    quiet.add_argument("--resume", action="store_true", help="go on with the runs that are in the folder")
    quiet.add_argument("--keep", action="store_true", help="put the result into the repository")
    quiet.set_defaults(run=_quiet)


def count(text: str) -> int:
    """A number of things, from one up. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _chosen(given: argparse.Namespace) -> list[Fault]:
    from drills.faults import catalogue

    named = [catalogue.find(name) for name in dict.fromkeys(given.names)] or catalogue.FAULTS
    of_family = catalogue.of_family(given.family)
    chosen = [fault for fault in named if given.stack in fault.stacks and fault in of_family]
    if not chosen:
        raise FaultError(f"none of these faults can be made on the stack {given.stack}")
    catalogue.check_criteria(chosen)
    return chosen


def _matrix(given: argparse.Namespace) -> int:
    from drills.faults import catalogue
    from drills.matrix import kept as kept_results
    from drills.matrix import page, row, table
    from drills.matrix.report import judged, report
    from drills.matrix.runs import Taking

    if given.mutate:
        return _mutate(given)
    faults = _chosen(given)
    whole = not given.names and given.family is None
    folder = given.dir.resolve()
    with _told_how_to_resume(folder / "rows.jsonl"):
        matrix = Taking(faults, given.stack, folder, given.jobs, say).take(resume=given.resume)
    found = report(matrix, whole=whole, wanted=[fault.name for fault in faults])
    row.write(judged(matrix, found), folder / "matrix.json")
    (folder / "matrix.html").write_text(page.html(matrix, found), "utf-8")
    say(table.text(matrix, found))
    say(f"{folder / 'matrix.json'}\n{folder / 'matrix.html'}")
    if given.keep:
        known = [fault.name for fault in catalogue.FAULTS if given.stack in fault.stacks]
        kept = kept_results.matrix_file(given.stack)
        merged = row.merged(row.read(kept), matrix, known)
        row.write(judged(merged, report(merged, whole=True, wanted=known)), kept)
        say(f"kept in {kept}")
    return found.exit_code


def _mutate(given: argparse.Namespace) -> int:
    from checks.criterion import criteria
    from drills.matrix import kept as kept_results
    from drills.matrix import mutants, mutating
    from drills.matrix.elsewhere import elsewhere

    folder = given.dir.resolve()
    names = {fault.name for fault in _chosen(given)}
    kept = kept_results.matrix_file(given.stack)
    rows = [row for row in mutating.rows_of(folder, kept) if row.fault in names]
    known = list(criteria({}, where="the matrix"))
    with _told_how_to_resume(folder / "mutants.jsonl"):
        found = mutating.mutate(rows, known, given.stack, folder, say, resume=given.resume)
    mutants.write(found, folder / "mutants.json")
    whole = not given.names and given.family is None
    wanted = known if whole else dict.fromkeys(mutant.criterion for mutant in found.mutants)
    holes = mutants.holes(found.mutants, wanted, elsewhere(given.stack))
    say(mutants.text(found, holes))
    say(str(folder / "mutants.json"))
    if given.keep:
        path = kept_results.mutants_file(given.stack)
        mutants.write(mutants.merged(mutants.read(path), found, known), path)
        say(f"kept in {path}")
    return mutants.exit_code(found.mutants, holes)


def _quiet(given: argparse.Namespace) -> int:
    from drills.matrix import kept as kept_results
    from drills.matrix import quiet

    folder = given.dir.resolve()
    with _told_how_to_resume(folder / "quiet.jsonl"):
        result = quiet.take(given.runs, given.stack, folder, say, resume=given.resume)
    quiet.write(result, folder / "quiet.json")
    say(quiet.text(result))
    say(str(folder / "quiet.json"))
    if given.keep:
        quiet.write(result, kept_results.quiet_file(given.stack))
    return quiet.exit_code(result)


@contextmanager
def _told_how_to_resume(taken: Path) -> Iterator[None]:
    """When it is cut short, what to type to go on, if anything of it is there."""
    try:
        yield
    except BaseException:
        if taken.exists():
            again = shlex.join(word for word in sys.argv[1:] if word != "--resume")
            print(f"what was taken is kept; go on: python -m drills {again} --resume", file=sys.stderr)
        raise


def say(line: str) -> None:
    """A line for the person, at once."""
    print(line, flush=True)
