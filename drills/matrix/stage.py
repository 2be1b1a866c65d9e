"""A recorded stack to judge, and the operator's own command at it."""

import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from inspect import getmembers, isfunction
from pathlib import Path

import msgspec

from checks.criterion import KINDS
from checks.verdict import Verdict
from drills.matrix.row import HEALTHY, Row
from drills.operator import REPOSITORY, Operator
from drills.stacks.errors import StackError
from drills.stacks.kinds import Say, brought_up
from drills.stacks.stack import Stack
from target.redact import Redactor

_TAKE_S = 180.0
_JUDGE_S = 180.0
_SHOWN = 160


class Judged(msgspec.Struct, frozen=True):
    """How the operator's command ended, after how many seconds; `trouble` is why its verdict cannot be used."""

    verdict: Verdict | None
    seconds: float
    trouble: str = ""


@contextmanager
def staged(folder: Path, kind: str, say: Say) -> Iterator[Stack]:
    """A stack of its own in the folder, recorded and with a snapshot; taken down at the end of the block.

    Raises StackError: it does not come up, is in use, or is not recorded.
    """
    with brought_up(kind, folder, latency_s=None, say=say) as (stack, lease):
        if lease is None:
            raise StackError(f"the stack in {folder} is in use; name another folder with --dir")
        try:
            for verb in ("record", "snapshot"):
                _take(verb, stack, say)
            yield stack
        finally:
            stack.take_down()


def _take(verb: str, stack: Stack, say: Say) -> None:
    typed = Operator(stack.layout.target_file).types("rollback", verb, limit_s=_TAKE_S)
    say(typed.out)
    if typed.exit != 0:
        raise StackError(f"the {verb} was not taken ({typed.says})")


def judge(
    stack: Stack,
    folder: Path,
    *,
    checks: tuple[str, ...] = (),
    budget: int | None = None,
    plugins: Mapping[str, str] | None = None,
    target_file: Path | None = None,
) -> Judged:
    """`pytest -m post_rollback` at the stack, its run in `folder`; of some checks only, where they are named.

    `budget` is how many requests it may send, None for as many as the target says.
    `plugins` maps a pytest plugin that only the drills load to its order: the variable of the environment in which it
    finds it, and the value (`NAME=value`).
    `target_file` is that of another deployment than the stack's own.
    """
    words = ["pytest", "-m", "post_rollback", *checks]
    for plugin in plugins or {}:
        words += ["-p", plugin]
    words += ["--run-dir", str(folder)]
    words += ["--set", f"budget.requests={budget}"] if budget else []
    orders = dict(order.split("=", 1) for order in (plugins or {}).values())
    (folder / "verdict.json").unlink(missing_ok=True)
    operator = Operator(target_file or stack.layout.target_file)
    began = time.monotonic()
    try:
        typed = operator.types(*words, limit_s=_JUDGE_S, variables=orders)
    except StackError as error:
        return Judged(None, time.monotonic() - began, str(error))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "screen.txt").write_text(typed.out + typed.errors, "utf-8")
    try:
        verdict = msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        last = (typed.out + typed.errors).strip()[-200:]
        return Judged(None, typed.seconds, f"no verdict (exit {typed.exit}): {last or error}")
    return Judged(verdict, typed.seconds, _unusable(verdict, typed.exit))


def _unusable(verdict: Verdict, exit_code: int) -> str:
    if exit_code != verdict.exit_code:
        return f"the command ended with exit {exit_code}, its verdict says {verdict.exit_code}"
    if verdict.exit_code not in (0, 1, 6):
        return f"nothing was judged (exit {verdict.exit_code}): {verdict.error or 'no reason given'}"
    if verdict.missing:
        return f"{', '.join(verdict.missing)} did not report"
    return ""


def checks_of(criteria: Iterable[str]) -> tuple[str, ...]:
    """The checks that decide these criteria."""
    wanted = set(criteria)
    return tuple(check for check, decided in deciders().items() if wanted & set(decided))


@cache
def deciders() -> dict[str, tuple[str, ...]]:
    """Each check, as `checks/test_data.py::test_bucket`, with the criteria that it declares."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in KINDS:
        for name, check in getmembers(import_module(f"checks.test_{kind}"), isfunction):
            marks = {mark.name: mark.args for mark in getattr(check, "pytestmark", [])}
            if name.startswith("test_") and "decides" in marks:
                found[f"checks/test_{kind}.py::{name}"] = marks["decides"]
    return found


class Tidy:
    """Makes evidence fit to be kept: no secret, no folder of this machine, one short line."""

    def __init__(self, stack: Stack) -> None:
        secrets = msgspec.structs.asdict(stack.secrets)
        self._redactor = Redactor(str(value) for name, value in secrets.items() if name != "yandex_folder")
        root = Path(stack.layout.root)
        folders = {
            str(root): "STACK",
            str(root.parent): "RUNS",
            sys.prefix: "VIRTUALENV",
            str(REPOSITORY): "REPOSITORY",
        }
        # The inner before the outer ones.
        self._folders = dict(sorted(folders.items(), key=lambda item: -len(item[0])))

    def __call__(self, text: str) -> str:
        text = self._redactor.text(text)
        for folder, name in self._folders.items():
            text = text.replace(folder, name)
        line = " / ".join(part.strip() for part in text.splitlines() if part.strip())
        return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def told(row: Row, judged: Judged, tidy: Tidy) -> Row:
    """The row with what a verdict says of every criterion."""
    row = msgspec.structs.replace(row, verdict_s=round(judged.seconds, 2))
    if judged.verdict is None or judged.trouble:
        return msgspec.structs.replace(row, trouble=tidy(judged.trouble or "no verdict"))
    verdict = judged.verdict
    by = {
        outcome: [each for each in verdict.criteria if each.outcome == outcome]
        for outcome in ("fail", "inconclusive", "pass")
    }
    skipped = [name for each in verdict.not_applicable for name in deciders().get(each.check, ())]
    return msgspec.structs.replace(
        row,
        exit_code=verdict.exit_code,
        failed={each.name: tidy(each.evidence) for each in by["fail"]},
        inconclusive=shortened({each.name: tidy(each.evidence) for each in by["inconclusive"]}),
        passed=tuple(each.name for each in by["pass"]),
        not_applicable=tuple(skipped),
    )


def shortened(evidence: dict[str, str]) -> dict[str, str]:
    """Each evidence once: a criterion that says the same as one before it refers to that."""
    first: dict[str, str] = {}
    for name, text in evidence.items():
        first.setdefault(text, name)
    return {name: text if first[text] == name else f"as {first[text]}" for name, text in evidence.items()}


def healthy(stack: Stack, folder: Path, after: str = "") -> Row:
    """What a stack shows in which nothing is broken; what it cannot tell of itself makes the row inconclusive."""
    row = told(Row(fault=HEALTHY, after=after), judge(stack, folder), Tidy(stack))
    if row.inconclusive and not row.trouble:
        return msgspec.structs.replace(row, trouble=f"inconclusive: {', '.join(row.inconclusive)}")
    return row


class Ended(BaseException):
    """SIGTERM or SIGHUP came, or the terminal's Ctrl-C."""


def end_in_order() -> None:
    """Let the first signal raise Ended, and none after it cut short what is then taken down."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def end(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(signal.Signals(number).name)

    for number in numbers:
        signal.signal(number, end)
