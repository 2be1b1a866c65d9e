"""What each subcommand does: builds the sites of the target's hosts and hands the work to engine, records or status."""

import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec

from rollback import archive, nextstep
from rollback.catalogue import Offer
from rollback.engine import Engine, Order
from rollback.errors import Refused
from rollback.progress import Progress
from rollback.result import Result
from rollback.site import Site, site_of
from target.description import Target
from target.redact import Redactor


class Call(msgspec.Struct, frozen=True):
    """A call of the command line: parsed options, the target, where progress goes, and the secrets to hide."""

    options: Namespace
    target: Target
    progress: Progress
    redactor: Redactor

    def sites(self) -> list[Site]:
        """A site for each host."""
        return [site_of(self.target, url, self.redactor) for url in self.target.hosts]


def action(call: Call, offer: Offer) -> int:
    """Carry out an action on every host in turn; stops at the first that does not end well."""
    options = call.options
    order = Order(
        dry_run=options.dry_run,
        resume=options.resume,
        undo=options.undo,
        break_lock=options.break_lock,
        surely=options.yes,
        abandon=options.abandon,
    )
    stop = _listen_for_stop()
    asked = _once(lambda: _confirm(call))
    results: list[Result] = []
    sites = call.sites()[:1] if offer.shared else call.sites()
    for site in sites:
        engine = Engine(offer.build(site, options), site, call.progress, confirm=asked, stop=stop.is_set)
        try:
            result = engine.carry_out(order)
        except Refused as error:
            result = Result(host=site.host.url, action=offer.name, outcome="refused", goal="", why=str(error))
        results.append(result)
        if lost := archive.keep(site, result, results[0]):
            call.progress.line(lost, "doubt")
        _conclude(call, engine, result)
        if result.exit_code:
            break
    if not offer.shared:
        _tell_hosts(call, results)
    if options.json:
        print_json(call.redactor, {"exit_code": results[-1].exit_code, "hosts": results})
    return results[-1].exit_code


def record(call: Call) -> int:
    """Take a record on every host, or mark one bad."""
    from rollback import recording

    done = []
    for site in call.sites():
        if call.options.mark_bad is not None:
            found = recording.mark_bad(site, call.options.name, call.options.mark_bad, call.progress)
        else:
            found = recording.take(site, call.options.name, call.progress)
        done.append({"host": site.host.url, "record": recording.summary(found)})
    if call.options.mark_bad is not None:
        call.progress.command(nextstep.with_target("  now   python -m rollback status", call.options))
    if call.options.json:
        print_json(call.redactor, {"exit_code": 0, "hosts": done})
    return 0


def snapshot(call: Call) -> int:
    """Take a snapshot on every host in turn; stops at the first that is not whole."""
    from rollback.snapshots import taking

    options = call.options
    keep = call.target.snapshots.keep if options.keep is None else options.keep
    stop = _listen_for_stop()
    results: list[taking.SnapshotResult] = []
    for site in call.sites():
        order = taking.Order(
            parts=tuple(options.parts),
            keep=keep,
            dry_run=options.dry_run,
            break_lock=options.break_lock,
            surely=options.yes,
            shared=not results,
        )
        try:
            result = taking.Taking(site, call.progress, stop.is_set).take(order)
        except Refused as error:
            result = taking.SnapshotResult(host=site.host.url, outcome="refused", why=str(error))
        results.append(result)
        first, *rest = [
            nextstep.with_target(line, options) for line in taking.conclusion(result, options.parts)
        ]
        call.progress.line(first, taking.TONES[result.outcome])
        for text in rest:
            call.progress.command(text)
        if result.exit_code:
            break
    if options.json:
        print_json(call.redactor, {"exit_code": results[-1].exit_code, "hosts": results})
    return results[-1].exit_code


def status(call: Call) -> int:
    """Tell how every host stands; changes nothing."""
    from rollback import standing, standing_text

    found = [standing.look(site) for site in call.sites()]
    if call.options.json:
        print_json(call.redactor, {"exit_code": 0, "hosts": found})
        return 0
    for one in found:
        standing_text.show(one, call.target, call.options, call.progress)
    return 0


def _conclude(call: Call, engine: Engine[Any], result: Result) -> None:
    """The last lines: how it ended, and what to type now."""
    progress = call.progress
    first, *rest = nextstep.conclusion(result, call.options)
    progress.line(first, nextstep.TONES[result.outcome])
    if result.outcome in ("failed and not undone", "abandoned") and result.run is not None:
        progress.lines([f"  {text}" for text in engine.state(result.run)])
    for text in rest:
        progress.command(text)


def _tell_hosts(call: Call, results: list[Result]) -> None:
    hosts = call.target.hosts
    if len(hosts) < 2:
        return
    for result in results:
        call.progress.line(f"{result.host}: {result.outcome}")
    left = hosts[len(results) :]
    if left:
        call.progress.line(f"not begun: {', '.join(left)}", "doubt")


def _confirm(call: Call) -> None:
    """A production target is named by the person, once. Raises Refused."""
    name = call.target.name
    if not call.target.production or call.options.confirm == name:
        return
    if call.options.confirm is not None:
        raise Refused(
            f"--confirm {call.options.confirm} is not the name of this target, {name}; nothing was changed"
        )
    if not sys.stdin.isatty() or call.options.json:
        raise Refused(f"{name} is production: say so with --confirm {name}; nothing was changed")
    if call.progress.ask(f"{name} is production. Type its name to go on:") != name:
        raise Refused(f"not confirmed; nothing was changed on {name}")


def _once(ask: Callable[[], None]) -> Callable[[], None]:
    asked: list[bool] = []

    def confirm() -> None:
        if not asked:
            ask()
            asked.append(True)

    return confirm


def _listen_for_stop() -> threading.Event:
    """Ctrl-C, SIGTERM and a lost terminal stop between steps: what has begun has its own deadline."""
    stop = threading.Event()

    def stop_soon(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_soon)
    return stop


def print_json(redactor: Redactor, value: Any) -> None:
    """Write it to standard output, with every secret masked."""
    data = redactor.data(msgspec.to_builtins(value))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(data)).decode() + "\n")
    sys.stdout.flush()
