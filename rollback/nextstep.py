"""The last lines of a command: how it ended, and the one thing to type next."""

import shlex
from argparse import Namespace

from rollback import clock
from rollback.catalogue import OFFERS
from rollback.result import Outcome, Result

TONES: dict[Outcome, str] = {
    "done": "good",
    "nothing to do": "good",
    "planned": "",
    "undone": "good",
    "failed and undone": "bad",
    "abandoned": "doubt",
    "interrupted": "doubt",
    "failed and not undone": "bad",
    "refused": "bad",
}


def conclusion(result: Result, options: Namespace) -> list[str]:
    """The last lines for one host: what it came to first, then what to type, each with the target that was named."""
    took = f"{clock.length(result.seconds)} of {clock.budget(result.budget_s)}"
    action = f"python -m rollback {result.action}"
    undo = f"  undo   {action} --undo"
    journal = f"  journal  {result.journal}"
    if result.run is None and result.outcome in ("refused", "interrupted"):
        return [with_target(f"{result.outcome}: {result.why}", options)]
    match result.outcome:
        case "done":
            lines = [f"done in {took}", "  now   pytest -m post_rollback", *_undo(result, action)]
        case "nothing to do":
            lines = [f"already there: {result.why}; nothing to do", "  now   pytest -m post_rollback"]
        case "planned":
            lines = ["a dry run: nothing was changed", f"  now   {action}{_asked(options)}"]
        case "undone":
            lines = [f"undone in {took}", "  now   python -m rollback status"]
        case "failed and undone":
            lines = [
                f"FAILED and undone in {took}: {result.why}",
                "  the state before is back; what was tried and seen is kept",
                journal,
                "  now      python -m rollback status",
            ]
        case "abandoned":
            lines = [
                f"abandoned: {result.run} is not gone on with; everything is left as it is:",
                "  now   python -m rollback status",
            ]
        case "interrupted":
            why = f": {result.why}" if result.why else ""
            lines = [f"interrupted after {took}, between steps{why}", f"  go on  {action} --resume", undo]
        case "failed and not undone":
            lines = [
                f"FAILED and NOT undone: {result.why}",
                journal,
                f"  now      {action} --resume         once that is mended: tries the way back again",
                f"  give up  {action} --abandon WHY    where it cannot be: other actions are free again",
            ]
    return [with_target(line, options) for line in lines]


def _undo(result: Result, action: str) -> list[str]:
    return [f"  undo  {action} --undo"] if result.reverts else []


def with_target(text: str, options: Namespace) -> str:
    """The text with the target that was named on the command line in every command to type."""
    if options.target is None:
        return text
    named = shlex.quote(options.target)
    text = text.replace("python -m rollback ", f"python -m rollback --target {named} ")
    return text.replace("pytest -m post_rollback", f"pytest -m post_rollback --target {named}")


def _asked(options: Namespace) -> str:
    """The options that were given, as they were typed."""
    words: list[str] = []
    for option in OFFERS[options.command].options:
        value = getattr(options, option.name)
        dashed = [] if option.bare else [f"--{option.name.replace('_', '-')}"]
        if not option.takes:
            words += dashed if value else []
        elif option.bare:
            words += value if option.listed else [value] if value else []
        else:
            for each in value if option.listed else [value]:
                words += [*dashed, each] if each is not None else []
    words += [
        f"--{name.replace('_', '-')}" for name in ("resume", "undo", "break_lock") if getattr(options, name)
    ]
    if options.abandon is not None:
        words += ["--abandon", options.abandon]
    return f" {shlex.join(words)}" if words else ""
