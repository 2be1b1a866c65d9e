"""A worker of drills without a stack: what it does with a fault is in the fault's name."""

import os
import signal
import sys
from pathlib import Path

import msgspec

from drills.outcome import Drilled, Finding
from drills.worker import Told


def tell(**told):
    print(msgspec.json.encode(Told(**told)).decode(), flush=True)


def drilled(name, folder):
    found = Finding(True, "good")
    made = Drilled(
        fault=name,
        family="fake",
        stack="processes",
        target="target.yaml",
        cure=None,
        level=None,
        started_at="2026-11-28T09:00:00+00:00",
        folder=folder,
        steady=found,
        landed=found,
        traffic=found,
        detected=Finding("silent" not in name, "triage"),
        cured=found,
        cleaned=found,
    )
    made.judge()
    return made


def main():
    stack = Path(sys.argv[2])
    if sys.argv[1] == "never-up":
        print("StackError: postgres: did not start", file=sys.stderr)
        return 1
    tell(free=True)
    for line in sys.stdin:
        name = line.strip()
        tell(says=f"begun on {stack.name}")
        if name.startswith("kills"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("gives-up") and stack.name == "stack-1":
            print("StackError: the stack is not as it was", file=sys.stderr)
            return 1
        if name.startswith("waits"):
            signal.pause()
        tell(drilled=drilled(name, stack.name), free=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
