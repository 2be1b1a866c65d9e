"""The command line of the drills: `python -m drills --help` lists what there is."""

import argparse
import itertools
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from drills.matrix import verbs as matrix_verbs
from drills.stacks.layout import AUTO, KINDS, PROCESSES
from target.errors import TargetError

_REPOSITORY = Path(__file__).resolve().parents[1]
_TAKE_S = 120.0
_FAILED = 1
_CANNOT = 4
_STACK = "what it is made of; auto: containers where that can be, else processes (default: %(default)s)"
_INTERRUPTED = 130
_FEWEST_ROLLBACKS = 4


class Interrupted(BaseException):
    """SIGTERM or SIGHUP came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 it did not work out, 4 it cannot be done, 130 interrupted."""
    given = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return int(given.run(given))
    except TargetError as error:
        print(f"drills {given.verb}: {error}", file=sys.stderr)
        return _CANNOT
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(f"drills {given.verb}: {error.strerror or error}{where}", file=sys.stderr)
        return _CANNOT
    except (KeyboardInterrupt, Interrupted):
        print(f"drills {given.verb}: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(signal.Signals(number).name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_CANNOT, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m drills", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def verb(name: str, says: str, *, folder: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=says, description=says)
        if folder:
            added.add_argument("--dir", type=Path, required=True, help="the folder of the stack")
        return added

    up = verb("up", "bring up a stack in a folder, record it, take a snapshot, leave it running")
    up.add_argument(
        "--stack",
        choices=(*KINDS, AUTO),
        default=PROCESSES,
        help=_STACK,
    )
    up.add_argument("--foreground", action="store_true", help="stay until Ctrl-C, then take it down")
    up.add_argument("--latency", type=float, metavar="SECONDS", help="how long the stand-ins take to answer")
    up.set_defaults(run=_up)
    verb("down", "end a stack; its folder stays, to be looked at or used again").set_defaults(run=_down)
    verb("sweep", "remove what killed commands left of stacks, and nothing else", folder=False).set_defaults(
        run=_sweep
    )
    verb("status", "the parts of a stack and its active faults").set_defaults(run=_status)
    faults = verb("faults", "the faults that can be injected", folder=False)
    faults.add_argument("--family", metavar="FAMILY", help="those of one family")
    faults.add_argument(
        "--json",
        action="store_true",
        help="as JSON: all that a fault says of itself, the checks that must, may and must not fail too",
    )
    faults.set_defaults(run=_faults)
    inject = verb("inject", "inject a fault and prove that it landed")
    inject.add_argument("name", help="one of `faults`")
    inject.set_defaults(run=_inject)
    heal = verb("heal", "undo injected faults")
    heal.add_argument("name", nargs="?", help="one of them; all, when left out")
    heal.set_defaults(run=_heal)
    verb("images", "build the images of the containers stack that are not there", folder=False).set_defaults(
        run=_images
    )
    run = verb("run", "drill: break, notice, roll back, judge, count what was lost or damaged", folder=False)
    run.add_argument("names", nargs="*", metavar="NAME", help="faults, or actions; else each action once")
    run.add_argument("--stack", choices=(*KINDS, AUTO), default=AUTO, help=_STACK)
    which = run.add_mutually_exclusive_group()
    which.add_argument("--family", metavar="FAMILY", help="every fault of that family")
    which.add_argument("--each-family", action="store_true", help="one fault of every family")
    which.add_argument("--all", action="store_true", help="every fault; those without a cure are healed")
    run.add_argument("--ssh", action="store_true", help="reach the voice host of the stack by ssh")
    run.add_argument("--dir", type=Path, help="a stack that runs already; else one of its own")
    run.add_argument(
        "--jobs", type=matrix_verbs.count, default=1, metavar="N", help="stacks side by side (default 1)"
    )
    run.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    run.set_defaults(run=_run)
    soak = verb(
        "soak",
        "roll back to and fro under load: nothing leaks, the last is as quick as the first",
        folder=False,
    )
    soak.add_argument("--count", type=_a_few, default=20, help="how many rollbacks (default %(default)s)")
    soak.add_argument("--stack", choices=(*KINDS, AUTO), default=AUTO, help=_STACK)
    soak.add_argument("--dir", type=Path, help="a stack that runs already; else one of its own")
    soak.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    soak.set_defaults(run=_soak)
    demo = verb("demo", "bring up, break, judge, roll back, judge again, take down", folder=False)
    demo.add_argument("--dir", type=Path, default=Path(".demo"), help="the folder to use (default .demo)")
    demo.set_defaults(run=_demo)
    matrix_verbs.add(verb)
    return parser


def say(line: str) -> None:
    """A line for the person, at once."""
    print(line, flush=True)


def _up(given: argparse.Namespace) -> int:
    from drills.stacks.kinds import brought_up, chosen

    kind = chosen(given.stack)
    say(f"stack of {kind} in {given.dir.resolve()}")
    with brought_up(kind, given.dir, latency_s=given.latency, say=say) as (stack, lease):
        if lease is None:
            say(f"it runs already · {stack.url} · {stack.layout.target_file}")
            return 0
        for verb in ("record", "snapshot"):
            status = _take(verb, stack.layout.target_file)
            if status != 0:
                stack.take_down()
                say(f"drills up: the {verb} was not taken (exit {status}); the stack is down again")
                return _FAILED
        _print_next(given.dir, stack.layout.target_file)
        if not given.foreground:
            lease.settle()
            return 0
        say("Ctrl-C takes it down")
        try:
            stack.wait_for_end()
        except (KeyboardInterrupt, Interrupted):
            stack.take_down()
            say("down")
            return 0
    say("it was ended from elsewhere")
    return _FAILED


def _take(verb: str, target_file: Path) -> int:
    command = [sys.executable, "-m", "rollback", verb, "--target", str(target_file)]
    say(f"$ python -m rollback {verb} --target {target_file}")
    try:
        return subprocess.run(command, cwd=_REPOSITORY, timeout=_TAKE_S, check=False).returncode
    except subprocess.TimeoutExpired:
        say(f"not done after {_TAKE_S:.0f} s")
        return _FAILED


def _print_next(folder: Path, target_file: Path) -> None:
    target, where = shlex.quote(str(target_file)), shlex.quote(str(folder))
    say(f"""\
up. Now try
  pytest -m post_rollback --target {target}
  python -m drills inject database-password-wrong --dir {where}
  pytest -m post_rollback --target {target}
  python -m checks triage --target {target}
  python -m rollback environment --target {target}
  python -m drills faults
  python -m drills heal --dir {where}
  python -m drills down --dir {where}""")


def _down(given: argparse.Namespace) -> int:
    from drills.stacks.stack import Stack

    stack = Stack.at(given.dir)
    ran = stack.running()
    left = stack.take_down()
    rest = f", {len(left)} left from a crash ended" if left else ""
    say(f"{'down' if ran else 'did not run'}{rest} · logs in {stack.layout.logs}")
    return 0


def _sweep(_: argparse.Namespace) -> int:
    from drills.venue import sweep

    removed = sweep()
    for each in removed:
        say(f"removed {each}")
    say(f"{len(removed)} removed" if removed else "nothing is left over")
    return 0


def _status(given: argparse.Namespace) -> int:
    from drills.faults.active import active
    from drills.stacks.stack import Stack

    stack = Stack.at(given.dir)
    if not stack.running():
        say(f"down · {stack.layout.root}")
        return _FAILED
    say(f"up · {stack.url} · {stack.layout.target_file}")
    for part in stack.parts():
        ports = " ".join(f"{name} {port}" for name, port in part.ports.items())
        say(f"  {part.program.name:<10} {part.program.state:<9} pid {part.program.pid:<8} {ports}")
    faults = active(stack)
    say("faults: " + (", ".join(fault.name for fault in faults) or "none"))
    return 0


def _faults(given: argparse.Namespace) -> int:
    import msgspec

    from drills.faults import catalogue

    entries = catalogue.entries(given.family)
    if given.json:
        say(msgspec.json.format(msgspec.json.encode(entries)).decode())
        return 0
    width = max(len(entry.name) for entry in entries)
    for family, members in itertools.groupby(entries, key=lambda entry: entry.family):
        say(f"{family:<{width + 2}}  scenario  cured by")
        for entry in members:
            scenario = str(entry.scenario or "-")
            cure = "restart" if entry.restart else entry.cure or "-"
            say(f"  {entry.name:<{width}}  {scenario:<8}  {cure:<11}  {entry.says}")
    return 0


def _inject(given: argparse.Namespace) -> int:
    from drills.faults.active import inject
    from drills.faults.catalogue import find
    from drills.stacks.stack import Stack

    stack = Stack.running_at(given.dir)
    evidence = inject(stack, given.name)
    say(f"injected {given.name}: {evidence}")
    say(f"  now   pytest -m post_rollback --target {shlex.quote(str(find(given.name).target_file(stack)))}")
    return 0


def _heal(given: argparse.Namespace) -> int:
    from drills.faults.active import heal
    from drills.stacks.stack import Stack

    healed = heal(Stack.running_at(given.dir), given.name)
    say(f"healed {', '.join(healed)}" if healed else "nothing to heal")
    return 0


def _images(_: argparse.Namespace) -> int:
    from drills.images import making, naming

    making.make(naming.read(), say)
    return 0


def _run(given: argparse.Namespace) -> int:
    from drills.run import Choice, run

    choice = Choice(
        stack=given.stack,
        family=given.family,
        names=given.names,
        every=given.all,
        each_family=given.each_family,
        folder=given.dir,
        json=given.json,
        ssh=given.ssh,
        jobs=given.jobs,
    )
    return run(choice, (KeyboardInterrupt, Interrupted))


def _soak(given: argparse.Namespace) -> int:
    from drills.soak import soak

    return soak(given.stack, given.dir, given.count, as_json=given.json)


def _a_few(text: str) -> int:
    count = int(text)
    if count < _FEWEST_ROLLBACKS or count % 2:
        raise argparse.ArgumentTypeError(f"an even number from {_FEWEST_ROLLBACKS} up, to and fro")
    return count


def _demo(given: argparse.Namespace) -> int:
    from drills.demo import demo

    return demo(given.dir)
