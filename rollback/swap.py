"""Switching folders on a host: two renames while the service is stopped, in either direction.

Where a switch stands is told by what is there, so that one that was cut short anywhere goes on, or goes back.
A tree that was live is never deleted: it is `kept` on the way forward, `undone` on the way back.
"""

import shlex
from collections.abc import Callable, Sequence

import msgspec

from rollback.errors import StepFailed
from rollback.folder import last_line
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.errors import HostError

_LOOK_S = 60.0
_RENAME_S = 60.0

# A rename that would have to copy is stopped at its first byte: it could be cut short half-way.
_SHARED = """
there() { [ -e "$1" ] || [ -L "$1" ]; }
fail() { printf '%s\\n' "$1" >&2; exit 1; }
move() {
    there "$2" && fail "$2: File exists"
    (ulimit -f 0; exec mv -fT -- "$1" "$2") && return
    if there "$1"; then rm -rf -- "$2"; fi
    fail "$1: cannot be renamed to $2"
}
flush() { sync -- "${1%/*}" "${2%/*}" || exit 1; }
"""

# For each of live, next, kept, undone, had. What was not there is kept as an empty folder, so that its time is known.
_FORWARD = (
    _SHARED
    + """
while [ $# -gt 0 ]; do
    live=$1 next=$2 kept=$3 had=$5
    shift 5
    if ! there "$kept"; then
        there "$next" || fail "$next: No such file or directory"
        if there "$live"; then move "$live" "$kept"
        elif [ "$had" = no ]; then mkdir -m 0700 -- "$kept" || exit 1
        else fail "$live: No such file or directory"; fi
        flush "$live" "$kept"
    fi
    if there "$next"; then
        there "$live" && fail "$live: was put there by somebody between the two renames"
        move "$next" "$live"
        flush "$live" "$next"
    fi
    there "$live" || fail "$live: No such file or directory"
done
"""
)

_BACK = (
    _SHARED
    + """
while [ $# -gt 0 ]; do
    live=$1 next=$2 kept=$3 undone=$4 had=$5
    shift 5
    there "$kept" || continue
    if there "$live"; then
        move "$live" "$undone"
        flush "$live" "$undone"
    fi
    if [ "$had" = yes ]; then move "$kept" "$live"; else rmdir -- "$kept" || exit 1; fi
    flush "$live" "$kept"
done
"""
)

# For each of live, next, kept, undone, had: inode and ctime of what is there.
_LOOK = """
while [ $# -gt 0 ]; do
    for each in "$1" "$2" "$3" "$4"; do
        if [ -e "$each" ] || [ -L "$each" ]; then stat -c '%i %.9Z' -- "$each"; else echo -; fi
    done
    shift 5
done
"""


class Swap(msgspec.Struct, frozen=True):
    """A path that is switched: `next` becomes `live`, and what was there becomes `kept`; `undone` is for the way back.

    `inode` is that of what was there before, None where nothing was. `what` names it for people.
    """

    what: str
    live: str
    next: str
    kept: str
    undone: str
    inode: int | None

    @property
    def words(self) -> list[str]:
        """As the scripts take it."""
        return [self.live, self.next, self.kept, self.undone, "no" if self.inode is None else "yes"]


def swap(what: str, live: str, next_: str, stamp: str, inode: int | None) -> Swap:
    """A swap with the names of a run."""
    return Swap(what, live, next_, f"{live}.failed.{stamp}", f"{live}.undone.{stamp}", inode)


class At(msgspec.Struct, frozen=True):
    """What is at a path: inode, and ctime by the host's clock."""

    inode: int
    changed: float


class Seen(msgspec.Struct, frozen=True):
    """What is at each path of a swap; None where nothing is there."""

    live: At | None
    next: At | None
    kept: At | None
    undone: At | None

    @property
    def switched(self) -> bool:
        """Whether both renames were made."""
        return self.live is not None and self.kept is not None and self.next is None

    @property
    def begun(self) -> bool:
        """Whether the first rename was made and is not taken back."""
        return self.kept is not None

    def as_before(self, of: Swap) -> bool:
        """Whether what was there before is there."""
        return (self.live.inode if self.live else None) == of.inode


def look(site: Site, swaps: Sequence[Swap]) -> list[Seen]:
    """Where each swap stands. Raises HostError."""
    ran = site.host.shell(_LOOK, *(word for each in swaps for word in each.words), timeout_s=_LOOK_S)
    found = [None if line == "-" else _at(line) for line in ran.stdout.splitlines()]
    if not ran.ok or len(found) != 4 * len(swaps):
        raise HostError(f"{site.host.url}: cannot look at {swaps[0].live}: {last_line(ran.stderr)}")
    return [Seen(*found[at : at + 4]) for at in range(0, len(found), 4)]


def changed(site: Site, swaps: Sequence[Swap]) -> float:
    """When the last switch was made, in either direction, by the host's clock; 0.0 where none was.

    Nobody writes to a tree that was set aside, so that its ctime is that of its rename; Python writes to a live one.
    """
    aside = [at for each in look(site, swaps) for at in (each.undone, each.kept) if at is not None]
    return max((at.changed for at in aside), default=0.0)


class Switch(Step):
    """Stops the service and makes the two renames of each swap. Undone, each tree is where it was.

    `check` gives evidence of what is live afterwards, and raises StepFailed where that is not what was meant.
    """

    stops = True

    def __init__(self, site: Site, swaps: Sequence[Swap], check: Callable[[], str]) -> None:
        self.site = site
        self.swaps = tuple(swaps)
        self.check = check
        self.name = f"switch {self.swaps[0].what}"

    @property
    def _names(self) -> str:
        return ", ".join(each.what for each in self.swaps)

    @property
    def commands(self) -> tuple[str, ...]:
        lines = [self.site.service.commands("stop")]
        for each in self.swaps:
            if each.inode is not None:
                lines.append(shlex.join(["mv", "-T", each.live, each.kept]))
            lines.append(shlex.join(["mv", "-T", each.next, each.live]))
        return tuple(lines)

    @property
    def undoes(self) -> str:
        kept = ", ".join(each.kept for each in self.swaps if each.inode is not None)
        back = f"put {kept} back by renames" if kept else "move it away: there was none before"
        return f"{self.site.service.commands('stop')}; {back}; what was tried stays as .undone"

    def preflight(self) -> list[Finding]:
        return []  # whoever prepares the trees looks at their places

    def apply(self, course: Course, /) -> None:
        if all(each.switched for each in look(self.site, self.swaps)):
            return
        self._stop(course)
        self._move(_FORWARD)

    def verify(self) -> str:
        for each, seen in zip(self.swaps, look(self.site, self.swaps), strict=True):
            if not seen.switched:
                raise StepFailed(f"{each.live} was not switched")
        kept = ", ".join(each.kept.rpartition("/")[2] for each in self.swaps if each.inode is not None)
        return " · ".join(text for text in (self.check(), f"{kept} kept" if kept else "") if text)

    def undo(self, course: Course, /) -> str:
        if not any(each.begun for each in look(self.site, self.swaps)):
            return f"{self._names} as before"
        self._stop(course)
        self._move(_BACK)
        for each, seen in zip(self.swaps, look(self.site, self.swaps), strict=True):
            if seen.begun or not seen.as_before(each):
                raise StepFailed(f"{each.live} is not what it was before")
        return f"{self._names} of before again; what was tried is kept as .undone"

    def _stop(self, course: Course) -> None:
        service = self.site.service
        course.report(service.commands("stop"))
        try:
            service.stop()
            state = service.status().state
        except HostError as error:
            raise StepFailed(f"the service could not be stopped: {error}") from error
        if state in ("running", "starting"):
            raise StepFailed(f"{service.name} was stopped and is {state} again: who starts it?")

    def _move(self, script: str) -> None:
        words = [word for each in self.swaps for word in each.words]
        ran = self.site.host.shell(script, *words, timeout_s=_RENAME_S)
        if not ran.ok:
            raise StepFailed(f"{self.site.host.url}: {last_line(ran.stderr)}")


def describe(site: Site, swaps: Sequence[Swap]) -> list[str]:
    """What is at the paths of each swap, a line each. Never raises HostError."""
    try:
        seen = look(site, swaps)
    except HostError as error:
        return [f"{each.live}: cannot be told: {error}" for each in swaps]
    lines = []
    for each, now in zip(swaps, seen, strict=True):
        if now.switched:
            says = f"the new one; the one of before is {each.kept}"
        elif now.begun:
            says = f"not there; the one of before is {each.kept}, the new one {each.next}"
        elif now.undone is not None:
            says = f"the one of before; what was tried is {each.undone}"
        else:
            says = "the one of before" if now.live is not None else "not there, as before"
        lines.append(f"{each.live}: {says}")
    return lines


def _at(line: str) -> At:
    inode, _, moment = line.partition(" ")
    return At(int(inode), float(moment))
