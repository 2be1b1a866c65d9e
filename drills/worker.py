"""One stack of drills side by side: takes the names of faults from its input and tells of each as it goes.

    python -m drills.worker KIND STACK_FOLDER [ssh]

It tells a line of JSON at a time, a `Told`. It ends with 0 after its input has come to an end, 1 when no stack can be
had any more (the reason on its standard error), 130 when it was told to end; its stack goes with it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import msgspec

from drills.course import Course
from drills.faults import catalogue
from drills.matrix.stage import Ended, end_in_order
from drills.outcome import Drilled
from drills.venue import Venue
from target.errors import TargetError

_INTERRUPTED = 130


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker tells: a line of progress, a drill that came to its end; `free` is whether it waits for a fault."""

    says: str = ""
    drilled: Drilled | None = None
    free: bool = False


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    # Its output is what it tells; whatever else is printed goes to its log.
    output, sys.stdout = sys.stdout, sys.stderr
    end_in_order()
    try:
        _serve(arguments[0], Path(arguments[1]), _to(output), ssh="ssh" in arguments[2:])
    except (TargetError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    except Ended:
        return _INTERRUPTED
    return 0


def _serve(kind: str, folder: Path, tell: Callable[[Told], None], *, ssh: bool) -> None:
    def say(line: str) -> None:
        tell(Told(line.strip()))

    with Venue(kind, None, say, own=folder) as venue:
        venue.open()
        course = Course(venue, say, ssh=ssh)
        tell(Told(free=True))
        for name in sys.stdin:
            fault = catalogue.find(name.strip())
            say(fault.says)
            tell(Told(drilled=course.drill(fault), free=True))


def _to(output: TextIO) -> Callable[[Told], None]:
    def tell(told: Told) -> None:
        output.write(msgspec.json.encode(told).decode() + "\n")
        output.flush()

    return tell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
