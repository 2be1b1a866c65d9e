"""`python -m rollback`: the command line for the person on call."""

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NoReturn

from rollback import clock
from rollback.catalogue import OFFERS, Offer
from rollback.result import EXIT_INTERNAL, EXIT_REFUSED, EXIT_USAGE
from rollback.snapshots.catalogue import names

_EXIT_CODES = """\
exit codes:
  0  done, undone as asked, or nothing to do
  1  failed, and undone: the state before is back
  2  interrupted between steps; --resume goes on, --undo goes back
  3  failed and NOT undone, or an error inside this tool; says what state everything is in
  4  the command line or the target cannot be used; nothing was changed
  5  refused; nothing was changed
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    named = _Parser(add_help=False)
    named.add_argument(
        "--target",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="target file; else VOICE_TARGET, else ./target.yaml",
    )
    parser = _Parser(
        prog="python -m rollback",
        description="Roll a deployment back, and prove it. Without a subcommand: status.",
        epilog=_EXIT_CODES,
        formatter_class=raw,
        parents=[named],
    )
    parser.set_defaults(command="status", json=False)
    commands = parser.add_subparsers(metavar="SUBCOMMAND")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=about, description=about, epilog=_EXIT_CODES, formatter_class=raw, parents=[named]
        )
        sub.set_defaults(command=name)
        return sub

    for offer in OFFERS.values():
        _add_action(add(offer.name, offer.about), offer)
    record = add("record", "record the known-good facts of what runs now")
    record.add_argument("--name", metavar="NAME", help="name of the record, instead of its version and time")
    record.add_argument(
        "--mark-bad", metavar="WHY", help="mark the record (--name, else the expected one) as bad"
    )
    _add_json(record)
    _add_snapshot(add("snapshot", "take the backups that the actions go back to, while all is well"))
    _add_json(add("status", "what runs, whether it is known good, what one can go back to"))
    return parser


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parts", metavar="PART", nargs="*", help=f"one of: {', '.join(names())}; all that the target offers"
    )
    parser.add_argument(
        "--keep", metavar="N", type=int, help="keep N of each kind, instead of the target's number"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be taken, change nothing")
    _add_lock(parser)
    _add_json(parser)


def _add_action(parser: argparse.ArgumentParser, offer: Offer) -> None:
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--resume", action="store_true", help="only go on with an unfinished run")
    way.add_argument("--undo", action="store_true", help="bring back the state before the last run")
    way.add_argument(
        "--abandon",
        metavar="WHY",
        help="give an unfinished run up: leave everything as it is, so that other actions can be run",
    )
    for option in offer.options:
        name = option.name if option.bare else f"--{option.name.replace('_', '-')}"
        if not option.takes:
            parser.add_argument(name, action="store_true", help=option.help)
        elif option.bare:
            parser.add_argument(
                name, metavar=option.takes, nargs="*" if option.listed else "?", help=option.help
            )
        elif option.listed:
            parser.add_argument(
                name, metavar=option.takes, action="append", default=[], dest=option.name, help=option.help
            )
        else:
            group = way if option.name == "to" else parser
            group.add_argument(name, metavar=option.takes, dest=option.name, help=option.help)
    parser.add_argument(
        "--dry-run", action="store_true", help="show the plan with each command, change nothing"
    )
    _add_lock(parser)
    parser.add_argument("--confirm", metavar="NAME", help="the name of the target, where it is production")
    _add_json(parser)


def _add_lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--break-lock", action="store_true", help="break the lock of an operator who is gone")
    parser.add_argument(
        "--yes", action="store_true", help="with --break-lock: even though its process still runs here"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="the result as JSON on standard output, and nothing else"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.target = getattr(options, "target", None)
    if options.command == "snapshot":
        _check_snapshot(parser, options)

    try:
        return _carry_out(options)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted before anything was changed\n")
        return 2


def _check_snapshot(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    unknown = [part for part in options.parts if part not in names()]
    if unknown:
        parser.error(f"no part {unknown[0]!r} of a snapshot; there is: {', '.join(names())}")
    if options.keep is not None and options.keep < 1:
        parser.error("--keep: at least 1, since the last good one stays")


def _carry_out(options: argparse.Namespace) -> int:
    # Late, so that --help and a mistyped option answer at once.
    from rollback import commands, nextstep
    from rollback.errors import LockLost, Refused
    from rollback.progress import Progress
    from target import load
    from target.errors import TargetError
    from target.redact import Redactor

    redactor = Redactor()
    progress = Progress(None if options.json else sys.stdout, redactor)
    errors = Progress(sys.stderr, redactor)
    try:
        path = load.locate(options.target, os.environ, Path.cwd())
        target = load.load(path, environ=os.environ)
        redactor.add(load.secrets(target))
        call = commands.Call(options, target, progress, redactor)
        if options.command in OFFERS:
            return commands.action(call, OFFERS[options.command])
        return int(getattr(commands, options.command)(call))
    except TargetError as error:
        why = nextstep.with_target(str(error), options)
        errors.error(why)
        refused = EXIT_REFUSED if isinstance(error, Refused) else EXIT_USAGE
        code = EXIT_INTERNAL if isinstance(error, LockLost) else refused
    except Exception as error:  # noqa: BLE001  (a person at 3 a.m. gets one line, the traceback goes to a file)
        details = _write_details(redactor.text(traceback.format_exc()))
        why = (
            f"error inside this tool ({type(error).__name__}: {error}); details in {details}; how things stand: "
            f"{nextstep.with_target('python -m rollback status', options)}"
        )
        errors.line(why, "bad")
        code = EXIT_INTERNAL
    if options.json:
        commands.print_json(redactor, {"exit_code": code, "error": why})
    return code


def _write_details(text: str) -> str:
    """Keep a traceback on this machine: the host may be what cannot be reached."""
    stamp = clock.stamp(time.time())
    handle, path = tempfile.mkstemp(prefix=f"voice-v2-rollback-{stamp}-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return path


if __name__ == "__main__":
    sys.exit(main())
