"""A worker without a stack: what it does with a fault is in the fault's name."""

import os
import signal
import sys
from pathlib import Path

import msgspec

from drills.matrix.row import HEALTHY, Row


def tell(row: Row) -> None:
    print(msgspec.json.encode(row).decode(), flush=True)


def main() -> int:
    stack = Path(sys.argv[2])
    (stack / "log").mkdir(parents=True, exist_ok=True)
    (stack / "stack.json").touch()
    if sys.argv[1] == "never-up":
        print("StackError: postgres: did not start", file=sys.stderr)
        return 1
    if sys.argv[1] == "unwell":
        tell(Row(fault=HEALTHY, failed={"error_rate": "bad"}))
        return 0
    tell(Row(fault=HEALTHY))
    after = ""
    for line in sys.stdin:
        name = line.strip()
        if name.startswith("kills"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("hangs"):
            signal.pause()
        tell(Row(fault=name, after=after, failed={"error_rate": name}))
        if name.startswith("stays"):
            print("NotHealedError: stays", file=sys.stderr)
            return 1
        after = name
    tell(Row(fault=HEALTHY, after=after))
    return 0


if __name__ == "__main__":
    sys.exit(main())
