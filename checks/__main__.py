"""`python -m checks triage`: which emergency scenario holds, and what to type."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

USAGE = 4
_EXIT_CODES = """\
exit codes:
  0  no trigger of the runbook holds
  1  a trigger holds
  2  interrupted
  4  the command line or the target cannot be used
  6  no trigger holds, but not every one could be told
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(arguments)

    # Late, so that --help and a mistyped option answer at once.
    from checks.screen import Screen
    from checks.triage import Triage, show, triage
    from target.errors import TargetError
    from target.load import load, locate, secrets
    from target.redact import Redactor

    try:
        path = locate(options.target, os.environ, Path.cwd())
        target = load(path, environ=os.environ)
        redactor = Redactor(secrets(target))
        found = asyncio.run(triage(target, options.record))
    except TargetError as error:
        Screen(sys.stderr).line(f"ERROR: {error}", "fail")
        return USAGE
    except KeyboardInterrupt:
        Screen(sys.stderr).line("interrupted")
        return 2
    told = msgspec.convert(redactor.data(msgspec.to_builtins(found)), Triage)
    if options.json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        show(told, Screen())
    return told.exit_code


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="python -m checks",
        description="Judge a deployment. The checks themselves: pytest -m post_rollback",
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    commands = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    about = "name the emergency scenario that holds, its evidence, and the lowest level that cures it"
    sub = commands.add_parser(
        "triage", help=about, description=about, epilog=_EXIT_CODES, formatter_class=raw
    )
    sub.add_argument("--target", metavar="FILE", help="target file; else VOICE_TARGET, else ./target.yaml")
    sub.add_argument(
        "--record", metavar="NAME", help="the record to compare with; else what should be running"
    )
    sub.add_argument("--json", action="store_true", help="as JSON, and nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
