"""`python -m reports`: what tells of a rollback, from its journal and its verdict."""

import argparse
import getpass
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # --help answers at once
    from reports.checklist import Answer, Checklist
    from reports.folders import Case

USAGE, INTERRUPTED = 4, 2
_EXIT_CODES = """\
exit codes:
  0  every item is proven or signed
  1  an item is not met: evidence disproves it, or a person said no
  2  interrupted; what was answered is kept
  4  the command line, a journal or a verdict cannot be used
  6  nothing is disproved, but items are open
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="python -m reports",
        description="Tell of a rollback. Reads the folders of runs; talks to no deployment.",
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    commands = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    about = (
        "walk the runbook's checklists: what journal and verdict prove is ticked with its evidence, the rest is asked "
        "and signed"
    )
    sub = commands.add_parser(
        "checklist", help=about, description=about, epilog=_EXIT_CODES, formatter_class=raw
    )
    sub.add_argument("--target", metavar="FILE", help="target file; else VOICE_TARGET, else ./target.yaml")
    sub.add_argument(
        "--run", type=Path, metavar="DIR", help="the run's folder; else the newest of the target"
    )
    sub.add_argument(
        "--journal", type=Path, metavar="FILE", help="the rollback's journal; else the newest one"
    )
    sub.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="ITEM=yes|no[:NOTE]",
        help="answer an item without being asked; several times",
    )
    sub.add_argument("--by", metavar="NAME", help="who signs; else who is logged in")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(arguments)

    from reports.errors import ReportError

    try:
        return _checklist(options)
    except ReportError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return USAGE


def _checklist(options: argparse.Namespace) -> int:
    from reports import checklist, page, questions
    from reports.folders import find

    case = find(_target(options.target), options.run, options.journal)
    answers = checklist.answers_so_far(case)
    by = options.by or _who()
    answers |= questions.given(options.answer, checklist.draw_up(case, answers), by)
    found = _keep(case, answers)
    interrupted = False
    if sys.stdin.isatty() and sys.stdout.isatty() and not options.answer:
        try:
            for item, answer in questions.asked(found, by):
                answers[item] = answer
                found = _keep(case, answers)
        except (KeyboardInterrupt, EOFError):
            sys.stdout.write("\n")
            interrupted = True
    named = f" --target {shlex.quote(options.target)}" if options.target else ""
    try:
        page.show(found, _near(case.folder / "checklist.md"), named)
    except BrokenPipeError:  # `| head` has seen enough; everything is written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return INTERRUPTED if interrupted else found.exit_code


def _keep(case: "Case", answers: "dict[str, Answer]") -> "Checklist":
    from reports import checklist, page

    found = checklist.draw_up(case, answers)
    checklist.write(case.folder, "checklist.md", page.markdown(found))
    checklist.write(case.folder, "checklist.json", checklist.as_json(found))
    return found


def _target(named: str | None) -> str | None:
    """The name in a target file, of which nothing else is read; None where there is no such file and none is named."""
    import yaml

    from reports.errors import ReportError

    path = Path(named or os.environ.get("VOICE_TARGET") or "target.yaml")
    if named is None and not os.environ.get("VOICE_TARGET") and not path.exists():
        return None
    try:
        name = yaml.safe_load(path.read_text("utf-8"))["name"]
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise ReportError(f"{path}: not a target file: it has no `name`") from None
    return str(name)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _near(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
