"""One stack of a matrix: takes the names of faults from its input and tells a row of each, a line of JSON.

    python -m drills.matrix.worker KIND STACK_FOLDER RUNS_FOLDER

The first line is of the healthy stack, and so is the last, after its input has come to an end. It ends with 0 then, 1
when the stack cannot be used any more (the reason on its standard error), 130 when it was told to end.
"""

import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drills.faults import active, catalogue
from drills.faults.fault import Fault
from drills.matrix.row import Row, of
from drills.matrix.stage import Ended, Tidy, checks_of, end_in_order, healthy, judge, staged, told
from drills.stacks.stack import Stack
from target.errors import TargetError

_INTERRUPTED = 130


class NotHealedError(Exception):
    """What a fault broke is still broken, so that nothing more can be learnt from this stack."""


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    end_in_order()
    kind, stack_folder, runs = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        with staged(stack_folder, kind, _log) as stack:
            _serve(stack, runs)
    except (TargetError, NotHealedError, OSError) as error:
        _log(f"{type(error).__name__}: {error}")
        return 1
    except Ended:
        return _INTERRUPTED
    return 0


def _serve(stack: Stack, runs: Path) -> None:
    before = healthy(stack, runs / f"healthy-{stack.layout.root.name}-before")
    _tell(before)
    if before.failed or before.trouble:
        return
    after = ""
    for line in sys.stdin:
        fault = catalogue.find(line.strip())
        row, well = take(stack, fault, runs / fault.name, after)
        _tell(row)
        if not well:
            raise NotHealedError(fault.name)
        after = fault.name
    _tell(healthy(stack, runs / f"healthy-{stack.layout.root.name}-after", after=after))


def take(stack: Stack, fault: Fault, folder: Path, after: str) -> tuple[Row, bool]:
    """The row of a fault, and whether the stack was healed of it."""
    tidy = Tidy(stack)
    row = of(fault, Row(fault=fault.name, after=after, taken_at=now()))
    began = time.monotonic()
    try:
        evidence = active.inject(stack, fault.name)
        row = msgspec.structs.replace(row, landed=tidy(evidence), inject_s=round(time.monotonic() - began, 2))
        row = told(row, judge(stack, folder, target_file=fault.target_file(stack)), tidy)
        if fault.budget is not None and not row.trouble:
            row = more(row, fault, stack, folder, tidy)
    except Exception as error:  # noqa: BLE001  (whatever a fault runs into, only its own row is inconclusive)
        _log(traceback.format_exc())
        row = _troubled(row, f"not injected: {type(error).__name__}: {error}", tidy)
    began = time.monotonic()
    try:
        active.heal(stack, None)
        stack.wait_service()
    except Exception as error:  # noqa: BLE001  (as above)
        _log(traceback.format_exc())
        return _troubled(row, f"not healed: {type(error).__name__}: {error}", tidy), False
    return msgspec.structs.replace(row, heal_s=round(time.monotonic() - began, 2)), True


def more(row: Row, fault: Fault, stack: Stack, folder: Path, tidy: Tidy) -> Row:
    """The row with what the checks of its criteria say when they may send as many requests as they need.

    Only what the usual budget could not tell is taken from it: what passed with that one has passed.
    """
    judged = judge(
        stack,
        folder / "budget",
        checks=checks_of(fault.must),
        budget=fault.budget,
        target_file=fault.target_file(stack),
    )
    larger = told(Row(fault=row.fault), judged, tidy)
    return joined(row, larger)


def joined(row: Row, larger: Row) -> Row:
    """A row whose inconclusive criteria are decided by another run of their checks alone."""
    decided = {*larger.failed, *larger.passed} & set(row.inconclusive)
    return msgspec.structs.replace(
        row,
        failed=row.failed | {name: text for name, text in larger.failed.items() if name in decided},
        passed=(*row.passed, *(name for name in larger.passed if name in decided)),
        inconclusive={name: text for name, text in row.inconclusive.items() if name not in decided},
        verdict_s=round((row.verdict_s or 0.0) + (larger.verdict_s or 0.0), 2),
        trouble=larger.trouble,
    )


def _troubled(row: Row, trouble: str, tidy: Tidy) -> Row:
    parts = [row.trouble, tidy(trouble)]
    return msgspec.structs.replace(row, trouble="; ".join(part for part in parts if part))


def now() -> str:
    """The time of day, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _tell(row: Row) -> None:
    sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
