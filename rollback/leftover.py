"""Commands of an earlier run that may have outlived who sent them (a lost connection, a killed laptop)."""

import shlex
from collections.abc import Callable, Sequence

from rollback.errors import Refused
from target.host import Host
from target.wait import Seen, eventually

# /proc where there is no `ps`; the host gives each of the suite's commands a deadline by `timeout -k`.
_COMMANDS = """
ps -wweo pid=,args= 2>/dev/null && exit
for process in /proc/[0-9]*; do
    printf '%s ' "${process#/proc/}"
    tr '\\0\\n' '  ' <"$process/cmdline" 2>/dev/null
    echo
done
"""
_WAIT_S = 45.0


def wait_for_earlier(host: Host, signs: Sequence[str], report: Callable[[str], None]) -> None:
    """Wait until no command of an earlier run works on the host any more.

    `signs` are words that tell its commands from others (the run's time stamp, the lock's folder, the restart).
    Commands of this suite all run under a deadline there, so waiting ends. Raises Refused when it does not.
    """

    def look() -> Seen:
        found = _working(host, signs)
        return Seen(met=not found, seen="; ".join(found))

    waited = eventually(
        look,
        deadline_s=_WAIT_S,
        on_attempt=lambda _, seen: None if seen.met else report(f"an earlier run still works: {seen.seen}"),
    )
    if not waited.met:
        raise Refused(
            f"a command of an earlier run still works on {host.url} after {_WAIT_S:g} s: {waited.seen}; "
            "look at it there, end it, and run again"
        )


def _working(host: Host, signs: Sequence[str]) -> list[str]:
    found = []
    for line in host.shell(_COMMANDS).stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        words = command.split()
        if words[:2] == ["timeout", "-k"] and any(sign in command for sign in signs):
            found.append(f"process {pid}, {shlex.join(words[4:8])}")
    return found
