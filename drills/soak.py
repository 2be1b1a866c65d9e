"""`python -m drills soak`: rollbacks to and fro under load; nothing leaks, and the last is as quick as the first."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from checks.interval import quantile
from drills import inventory, recovery, usage
from drills.faults.configuration import value
from drills.operator import Operator
from drills.outcome import Word
from drills.runfolder import RunFolder
from drills.saying import to_errors, to_output
from drills.settle import alone, settle
from drills.stacks.errors import StackError
from drills.stacks.layout import write_private
from drills.stacks.stack import Stack
from drills.traffic.ledger import Call
from drills.traffic.traffic import Traffic
from drills.usage import Usage
from drills.venue import Venue

_ROLLBACK_S = 300.0
_DRAINS_S = 45.0
_PER_SECOND = 5.0
_LIMIT = 1.5  # the runbook's: more than 50 % slower
_SHIFT = 1.25  # a median that is higher by less explains no tail
_FEWEST = 30

Say = Callable[[str], None]


class Round(msgspec.Struct, frozen=True):
    """One rollback: what was typed, when it began (seconds since the epoch), how it ended, the seconds that it took."""

    command: str
    began: float
    exit: int
    seconds: float
    left: bool


class Speed(msgspec.Struct, frozen=True):
    """Latency of the acknowledged calls of some rounds, in seconds, from when each had to begin."""

    n: int
    median_s: float
    p95_s: float


class Soaked(msgspec.Struct, kw_only=True):
    """A soak. `first` and `last` are the first and the last quarter of the rounds."""

    stack: str
    started_at: str
    folder: str
    rounds: list[Round] = []
    before: Usage | None = None
    after: Usage | None = None
    first: Speed | None = None
    last: Speed | None = None
    lost: int | None = None
    acknowledged: int = 0
    leaks: list[str] | None = None
    trouble: str | None = None
    verdict: Word = "inconclusive"
    why: list[str] = []

    def judge(self, count: int) -> None:
        """Set the verdict: failed where something is known to be bad, passed where all is known to be good."""
        bad = [f"`{each.command}` ended with exit {each.exit}" for each in self.rounds if each.exit != 0]
        bad += [f"`{each.command}` left a process running" for each in self.rounds if each.left]
        bad += [f"leak of {leak}" for leak in self.leaks or []]
        bad += [f"{self.lost} acknowledged writes are gone"] if self.lost else []
        unknown = [self.trouble] if self.trouble else []
        unknown += ["leaks were not looked for"] if self.leaks is None else []
        unknown += ["losses were not counted"] if self.lost is None else []
        unknown += [f"{len(self.rounds)} of {count} rollbacks were made"] if len(self.rounds) < count else []
        slower, told = _slower(self.first, self.last)
        if slower is not False:
            (unknown if slower is None else bad).append(told)
        self.verdict = "failed" if bad else "inconclusive" if unknown else "passed"
        self.why = bad + unknown


def _slower(first: Speed | None, last: Speed | None) -> tuple[bool | None, str]:
    """Whether the last calls are slower than the first; None where that cannot be told, and what says so."""
    if first is None or last is None or min(first.n, last.n) < _FEWEST:
        return None, "too few calls to compare the last with the first"
    told = f"p95 {first.p95_s:.3f} s at first, {last.p95_s:.3f} s at last"
    if last.p95_s <= first.p95_s * _LIMIT:
        return False, told
    if last.median_s > first.median_s * _SHIFT:
        return True, told
    return None, f"{told}, the median stayed: run it again on a quiet machine"


class Soak:
    """Rollbacks of the environment to another one and back, so that the stack is in the end as it was."""

    def __init__(self, stack: Stack, count: int, say: Say) -> None:
        self._stack = stack
        self._count = count
        self._say = say
        self._operator = Operator(stack.layout.target_file)
        self._folder = RunFolder(stack, "soak")
        self._other = stack.layout.run / "soak.env"
        self._traffic = Traffic(stack.url, stack.secrets.api_token, self._folder.path, _PER_SECOND)
        self._soaked = Soaked(
            stack=stack.kind,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            folder=str(self._folder.path),
        )

    def carry_out(self) -> Soaked:
        """Carry it out; what it began is brought to an end in any case."""
        try:
            for done in settle(self._stack, self._stack.layout.target_file):
                self._say(f"  {done}")
            self._go_to_and_fro()
        except StackError as error:
            self._soaked.trouble = self._folder.text(str(error).splitlines()[0])
        finally:
            self._traffic.stop()
            self._back()
            self._soaked.judge(self._count)
            self._folder.keep_logs()
            self._folder.write_json("soak.json", self._soaked)
        return self._soaked

    def _go_to_and_fro(self) -> None:
        edit = value("PROVIDER_TIMEOUT_S", "9")
        write_private(self._other, edit(self._stack.layout.environment.read_bytes()))
        # A burst of load and two rounds, so that pools and caches are as full as they will be.
        self._traffic.start()
        for number in range(2):
            self._round(number)
        self._traffic.stop()
        self._soaked.rounds.clear()
        self._stack.supervisor.wait_settled()
        self._soaked.before = before = usage.take(self._stack)
        began = time.time()
        self._traffic.start()
        for number in range(self._count):
            if not self._traffic.runs():
                raise StackError("the traffic ended before its time")
            self._round(number)
        ended = time.time()
        self._traffic.stop()
        calls = self._traffic.calls()
        quarter = max(2, self._count // 4)
        edges = [*[each.began for each in self._soaked.rounds], ended]
        self._soaked.first = _speed(calls, began, edges[min(quarter, len(edges) - 1)])
        self._soaked.last = _speed(calls, edges[max(0, len(edges) - 1 - quarter)], ended)
        self._stack.supervisor.wait_settled()
        self._soaked.after, self._soaked.leaks = usage.settled(self._stack, before, self._count, _DRAINS_S)
        lost = recovery.lost(calls, inventory.take(self._stack))
        self._soaked.lost, self._soaked.acknowledged = lost.count, lost.acknowledged

    def _round(self, number: int) -> None:
        words = ["--undo"] if number % 2 else ["--to", str(self._other)]
        began = time.time()
        typed = self._operator.types("rollback", "environment", *words, limit_s=_ROLLBACK_S)
        done = Round(typed.command, began, typed.exit, round(typed.seconds, 3), typed.left)
        self._soaked.rounds.append(done)
        self._folder.happened(f"$ {typed.command}", typed.says)
        self._say(f"  {number + 1} {typed.command}: exit {typed.exit}, {typed.seconds:.1f} s")
        if typed.exit != 0:
            self._folder.write("rollback.txt", typed.out + typed.errors)
            raise StackError(f"`{typed.command}`: {typed.says}")

    def _back(self) -> None:
        """Where it was cut short half-way, back to the environment of before."""
        try:
            settle(self._stack, self._stack.layout.target_file)
            if (
                self._other.exists()
                and self._stack.layout.environment.read_bytes() == self._other.read_bytes()
            ):
                self._operator.types("rollback", "environment", "--undo", limit_s=_ROLLBACK_S)
            self._other.unlink(missing_ok=True)
        except StackError as error:
            self._soaked.trouble = self._folder.text(str(error).splitlines()[0])


def _speed(calls: list[Call], since: float, until: float) -> Speed | None:
    seconds = [call.latency_s for call in calls if call.acknowledged and since <= call.intended < until]
    if not seconds:
        return None
    return Speed(len(seconds), round(median(seconds), 4), round(quantile(seconds, 0.95), 4))


def told(soaked: Soaked) -> list[str]:
    """What it found, in lines for the person."""
    lines = [f"{len(soaked.rounds)} rollbacks, {soaked.acknowledged} calls acknowledged, {soaked.lost} lost"]
    if soaked.first and soaked.last:
        lines.append(
            f"p95 {soaked.first.p95_s:.3f} s at first, {soaked.last.p95_s:.3f} s at last "
            f"(median {soaked.first.median_s:.3f}, {soaked.last.median_s:.3f}; n {soaked.first.n}, {soaked.last.n})"
        )
    if soaked.before and soaked.after:
        names = ("processes", "open_files", "connections", "locks", "kept_bytes")
        pairs = [f"{name} {getattr(soaked.before, name)} → {getattr(soaked.after, name)}" for name in names]
        lines.append(", ".join(pairs))
    return [*lines, *[f"  {why}" for why in soaked.why], f"{soaked.verdict} · {Path(soaked.folder)}"]


def soak(kind: str, folder: Path | None, count: int, *, as_json: bool) -> int:
    """Soak a stack; 0 passed, 1 failed, 6 inconclusive. Raises StackError: there is none to be soaked."""
    say: Say = to_errors if as_json else to_output
    with Venue(kind, folder, say) as venue:
        venue.open()
        with closing(Stack.running_at(venue.folder)) as stack, alone(stack):
            soaked = Soak(stack, count, say).carry_out()
    if as_json:
        to_output(msgspec.json.format(msgspec.json.encode(soaked)).decode())
    else:
        for line in told(soaked):
            say(line)
    return {"passed": 0, "failed": 1, "inconclusive": 6}[soaked.verdict]
