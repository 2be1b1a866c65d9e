"""A stack that a drill may begin on: no other is at work there, and what one that was killed has left is ended."""

import json
from contextlib import AbstractContextManager
from pathlib import Path

from drills.faults import active
from drills.operator import Operator
from drills.stacks.errors import StackError
from drills.stacks.lock import held
from drills.stacks.stack import Stack

_STATUS_S = 60.0
_RESUME_S = 600.0


def alone(stack: Stack) -> AbstractContextManager[None]:
    """The only drill on the stack, for a `with` block. Raises StackError where another is at work."""
    busy = StackError(f"another drill is at work on the stack in {stack.layout.root}")
    return held(stack.layout.run / "drill.lock", busy)


def settle(stack: Stack, target_file: Path) -> list[str]:
    """Bring an unfinished rollback of the target to its end and heal every fault of the stack; what was done, in words.

    Raises StackError: it cannot be brought to an end.
    """
    operator = Operator(target_file)
    told = operator.types("rollback", "status", "--json", limit_s=_STATUS_S)
    if told.exit != 0:
        raise StackError(f"how the stack stands cannot be told: {told.says}")
    done = []
    last = json.loads(told.out)["hosts"][0]["last"]
    if last is not None and last["open"]:
        resumed = operator.types("rollback", str(last["action"]), "--resume", limit_s=_RESUME_S)
        if resumed.exit != 0:
            raise StackError(
                f"{last['run']} cannot be brought to an end ({resumed.says}); "
                f"take the stack down: python -m drills down --dir {stack.layout.root}"
            )
        done.append(f"went on with {last['run']}")
    done += [f"healed {name}" for name in active.heal(stack, None)]
    return done
