"""Where lines for the person go: to standard output, or out of the way of a result for machines."""

import sys


def to_output(line: str) -> None:
    """To standard output, at once."""
    print(line, flush=True)


def to_errors(line: str) -> None:
    """To standard error, at once."""
    print(line, file=sys.stderr, flush=True)
