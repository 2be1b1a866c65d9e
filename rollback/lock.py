"""The lock on a host: one operator at a time, known by name, and never broken unasked."""

import contextlib
import os
import pwd
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from rollback import clock
from rollback.errors import LockLost, Refused
from target.errors import HostError
from target.host import Host
from target.wait import Seen, eventually

_OWNER = "owner.json"
_OTHER = 66
# Between the folder and the name in it lies one command.
_NAMED_S = 1.0

# Moving the folder away is atomic: two who break or release at once cannot both believe that they did, and a crash
# in between leaves no lock. `$3` is the token of the lock that was seen, empty where it had no owner.
_CLEAR = f"""
if [ -n "$3" ]; then grep -qF -- "$3" "$1/{_OWNER}" || exit {_OTHER}
else [ ! -e "$1/{_OWNER}" ] || exit {_OTHER}; fi
mv -T -- "$1" "$2" || exit {_OTHER}
for gone in "$1".gone.*; do [ ! -d "$gone" ] || {{ rm -f -- "$gone"/* && rmdir -- "$gone"; }}; done
"""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it: `owner` is `user@machine` of the person, `host` the same of the place where the commands run.

    `pid_start` (clock ticks since boot, where the machine tells) tells a process from a later one with its number.
    """

    owner: str
    machine: str
    pid: int
    pid_start: str
    host: str
    message: str
    since: float
    token: str


class Held(msgspec.Struct, frozen=True):
    """A lock that is there; `owner` is None where the crash came before it was written."""

    folder: str
    owner: Owner | None
    since: float

    @property
    def here(self) -> bool:
        """Whether the owner's process ran on this machine, so that one can see whether it still does."""
        return self.owner is not None and self.owner.machine == _machine()

    @property
    def alive(self) -> bool:
        """Whether the owner's process runs on this machine."""
        return self.owner is not None and self.here and _alive(self.owner.pid, self.owner.pid_start)

    @property
    def mine_and_dead(self) -> bool:
        """Whether it is what is left of an earlier run of this same person on this machine."""
        return self.owner is not None and self.here and not self.alive and self.owner.owner == whoami()

    def says(self) -> str:
        """Who, what, since when, and whether the process still runs."""
        ago = f"since {clock.minute(self.since)} UTC ({clock.length(max(0.0, time.time() - self.since))} ago)"
        if self.owner is None:
            return f"{self.folder} is held {ago}, owner unknown: whoever took it died before writing a name"
        process = f"process {self.owner.pid} there cannot be seen from here"
        if self.here:
            process = f"its process {self.owner.pid} {'still runs' if self.alive else 'is gone'}"
        return f"{self.folder} is held by {self.owner.owner} {ago}, {self.owner.message}; {process}"


class Lock:
    """The lock of a host, the folder `state_dir/lock`."""

    def __init__(self, host: Host, state_dir: str) -> None:
        self._host = host
        self._state_dir = state_dir
        self.folder = f"{state_dir}/lock"

    def look(self) -> Held | None:
        """Who holds it, if anybody. One without an owner is looked at again: it may just be taken, or let go."""
        held: Held | None = None

        def once() -> Seen:
            nonlocal held
            held = self._look()
            return Seen(met=held is None or held.owner is not None, seen=self.folder)

        eventually(once, deadline_s=_NAMED_S)
        return held

    def _look(self) -> Held | None:
        facts = self._host.facts(self.folder)
        if facts is None:
            return None
        try:
            content = self._host.read(f"{self.folder}/{_OWNER}")
            owner = msgspec.json.decode(content, type=Owner)
        except (HostError, msgspec.DecodeError):
            return Held(self.folder, None, facts.changed)
        return Held(self.folder, owner, owner.since)

    def judge(self, held: Held | None, *, break_lock: bool, surely: bool) -> str:
        """Whether one may go on: what to tell about it (empty when it is free). Raises Refused with who, what and how.

        A lock left by this person's own dead process may be taken over; anything else is broken on request only, and
        that of a process which still runs only when asked twice (`surely`).
        """
        if held is None:
            return ""
        if held.mine_and_dead:
            return f"taken over from an earlier run of yours: {held.says()}"
        if break_lock and (surely or not held.alive):
            return f"lock broken on request: {held.says()}"
        if held.alive:
            raise Refused(
                f"{held.says()}. Wait for it, or stop it; `--break-lock --yes` would break the lock of a running action"
            )
        raise Refused(f"{held.says()}. If nothing of it runs any more: the same command with --break-lock")

    @contextlib.contextmanager
    def hold(
        self, message: str, over: Held | None, warn: Callable[[str], None]
    ) -> Iterator[Callable[[], None]]:
        """Hold it, having cleared away the one that `judge` let pass (`over`). Raises Refused when another was faster.

        Gives a function that raises LockLost when somebody has broken the lock meanwhile.
        """
        owner = Owner(
            owner=whoami(),
            machine=_machine(),
            pid=os.getpid(),
            pid_start=_pid_start(os.getpid()),
            host=self._host.identity(),
            message=message,
            since=time.time(),
            token=secrets.token_hex(8),
        )
        self._host.make_folder(self._state_dir)
        if over is not None:
            self.clear(over)
        if not self._host.claim(self.folder):
            held = self.look()
            raise Refused(
                f"{held.says() if held else self.folder + ' was just held'}; it was faster: run again later"
            )
        named = False
        try:
            self._host.write_atomically(f"{self.folder}/{_OWNER}", msgspec.json.encode(owner) + b"\n")
            named = True
            yield lambda: self._still_held(owner.token)
        finally:
            try:
                if not self._clear(owner.token) and not named:  # the disk is full, for one
                    self._clear("")
            except HostError as error:
                warn(f"the lock could not be released ({error}); next time: --break-lock")

    def clear(self, held: Held) -> None:
        """Remove a lock that `judge` let pass, where there is nothing to do under a new one. Raises Refused."""
        if not self._clear(held.owner.token if held.owner else ""):
            raise Refused(
                f"{self.folder} on {self._host.url} changed hands meanwhile; run again to see whose it is"
            )

    def _still_held(self, token: str) -> None:
        if not self._host.run(["grep", "-qF", token, f"{self.folder}/{_OWNER}"]).ok:
            held = self.look()
            raise LockLost(
                f"the lock was broken while this ran; {held.says() if held else 'nobody holds it now'}"
            )

    def _clear(self, token: str) -> bool:
        """Whether the lock with this token (empty: with no owner) was there, and is away now."""
        gone = f"{self.folder}.gone.{secrets.token_hex(4)}"
        ran = self._host.shell(_CLEAR, self.folder, gone, token)
        if ran.status == _OTHER:
            return False
        if not ran.ok:
            raise HostError(
                f"{self._host.url}: cannot remove {self.folder}: {ran.stderr.strip()}; remove it by hand"
            )
        return True


def whoami() -> str:
    """`user@machine` of the person who runs this."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _machine() -> str:
    """What tells this machine from another of the same name."""
    with contextlib.suppress(OSError):
        return f"{socket.gethostname()} {Path('/etc/machine-id').read_text(encoding='ascii').strip()}"
    return socket.gethostname()


def _alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return not start or _pid_start(pid) == start
    return not start or _pid_start(pid) == start


def _pid_start(pid: int) -> str:
    """Start of a process in clock ticks since boot; empty where the system has no /proc, or the process is a zombie."""
    with contextlib.suppress(OSError):
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return "" if fields[0] == "Z" else fields[19]
    return ""
