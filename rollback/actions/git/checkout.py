"""The git checkout on a host: what is there, what a commit there is like, and the scripts that change it."""

import re

import msgspec

from rollback.actions.git import scripts
from rollback.errors import StepFailed
from rollback.site import Site
from target import bytecode
from target.description import Code
from target.errors import HostError, PastDeadline
from target.host import Ran

_LOOK_S = 60.0
_FETCH_S = 300.0
# What git says besides; the last two follow whatever went wrong on the way to a remote.
_NO_CAUSE = ("hint:", "warning:", "To ", "Please make sure you have the correct", "and the repository exists")
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


class Status(msgspec.Struct, frozen=True):
    """What `git status` says: files that are tracked and differ, and those that are untracked and not ignored.

    `modules` are submodules with changes of their own inside. Files that hold an environment are not among `untracked`.
    """

    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    modules: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the work tree is the commit and nothing else, ignored files aside."""
        return not self.changed and not self.untracked


class Look(msgspec.Struct, frozen=True):
    """A look at the checkout and at the commit that was asked for; nothing was changed by it.

    `branch` is what HEAD is on (`refs/heads/…`, empty: detached), `head` its commit, `changed` when a tracked file or
    HEAD last changed (host's clock). `commit` is empty where what was asked for is not here; `sections` are the rest.
    """

    branch: str
    head: str
    changed: float
    commit: str
    status: Status
    sections: dict[str, str]

    def lines(self, section: str) -> list[str]:
        """The lines of a section, empty where the look did not get there."""
        return [line for line in self.sections.get(section, "").split("\n") if line]


class Now(msgspec.Struct, frozen=True):
    """What the checkout is at now; `kept` and `tip` are the commits of the ref with the kept work and of a branch."""

    branch: str
    head: str
    kept: str
    tip: str
    status: Status


class Checkout:
    """The checkout of a site. Its commands run as the owner of the folder, whom root becomes for that."""

    def __init__(self, site: Site, settings: Code) -> None:
        self.site = site
        self.folder = settings.checkout.rstrip("/") or "/"
        self.remote = settings.remote
        self.requirements = settings.requirements
        self.secret_files = self._secret_files()

    def look(self, want: str) -> Look:
        """Look at everything, `want` (a commit, tag or branch) included. Raises HostError."""
        ran = self._run(scripts.LOOK, "", want, self.remote, self.requirements, timeout_s=_LOOK_S)
        sections: dict[str, str] = {}
        for section in ran.stdout.split("\x1e")[1:]:
            name, _, content = section.partition("\n")
            sections[name] = content
        if "kind" not in sections:
            raise HostError(f"{self.site.host.url}: {self.words(ran)}")
        head = [*sections.get("head", "").split("\n"), "", ""]
        return Look(
            branch=head[0],
            head=head[1],
            changed=float(sections.get("changed", "").strip() or 0),
            commit=sections.get("commit", "").strip(),
            status=self._status(sections.pop("status", "")),
            sections=sections,
        )

    def fetch(self, want: str, *, partial: bool) -> tuple[str, str]:
        """Fetch what lacks of a commit, tag or branch, objects only; its commit, or empty and why it cannot be had.

        Raises HostError where it is the host, and not the remote, that cannot be reached.
        """
        more = "partial" if partial else ""
        try:
            ran = self._run(scripts.FETCH, "", self.remote, want, more, timeout_s=_FETCH_S)
        except PastDeadline as error:
            return "", str(error)
        return (ran.stdout.strip(), "") if ran.ok else ("", self.words(ran))

    def now(self, stamp: str, branch: str) -> Now:
        """What it is at now, with the run's ref and a branch. Raises HostError."""
        ran = self._run(scripts.STATUS, stamp, f"refs/heads/{branch}", timeout_s=_LOOK_S)
        at, head, kept, tip, status = [*ran.stdout.split("\n", 4), "", "", "", ""][:5]
        if not ran.ok:
            raise HostError(f"{self.site.host.url}: {self.words(ran)}")
        return Now(branch=at, head=head, kept=kept, tip=tip, status=self._status(status))

    def commits(self, wanted: list[str]) -> tuple[str, list[str]] | None:
        """HEAD's commit, and for each of the wanted ones its commit, empty where it is not here; None: no checkout."""
        ran = self._run(scripts.COMMITS, "", *wanted, timeout_s=_LOOK_S)
        lines = ran.stdout.split("\n")[:-1]
        return (lines[0], lines[1:]) if ran.ok and len(lines) == len(wanted) + 1 else None

    def changed(self) -> float:
        """When a tracked file or HEAD last changed, by the host's clock. Raises HostError."""
        ran = self._run(scripts.CHANGED, "", timeout_s=_LOOK_S)
        if not ran.ok or not ran.stdout.strip():
            raise HostError(f"{self.site.host.url}: {self.words(ran)}")
        return float(ran.stdout)

    def stale(self, *, forget: bool = False) -> list[str]:
        """The files of the package of which Python would run something else; `forget` removes what it would run.

        Raises HostError: that cannot be told, or not be removed.
        """
        found = bytecode.of_service(self.site.target, self.site.host, forget=forget)
        return [name.removeprefix(f"{self.folder}/") for name in found]

    def change(self, script: str, stamp: str, *args: str, timeout_s: float) -> str:
        """Carry out a script that changes something; what it printed. Raises StepFailed."""
        ran = self._run(script, stamp, *args, timeout_s=timeout_s)
        if not ran.ok:
            raise StepFailed(f"{self.folder} on {self.site.host.url}: {self.words(ran)}")
        return ran.stdout.strip()

    def attempt(self, script: str, stamp: str, *args: str, timeout_s: float) -> str:
        """Carry out a script that may fail or take too long; why it did, or empty. Raises HostError: unreachable."""
        try:
            ran = self._run(script, stamp, *args, timeout_s=timeout_s)
        except PastDeadline as error:
            return str(error)
        return "" if ran.ok else self.words(ran)

    @staticmethod
    def words(ran: Ran) -> str:
        """The last lines of what a command said, without whatever stands before a host in an address."""
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        said = [line for line in lines if not line.startswith(_NO_CAUSE)] or lines
        return _USER_IN_URL.sub("", " / ".join(said[-3:])) or f"status {ran.status}"

    def is_secret(self, name: str) -> bool:
        """Whether a file of the checkout is one that holds an environment: it is never put into git's objects."""
        last = name.rpartition("/")[2]
        return last == ".env" or last.startswith(".env.") or f"/{name}" in self.secret_files

    def _run(self, script: str, stamp: str, *args: str, timeout_s: float) -> Ran:
        words = [script, self.folder, stamp, *self.secret_files, *args]
        return self.site.host.shell(scripts.AS_OWNER, *words, timeout_s=timeout_s)

    def _secret_files(self) -> tuple[str, str]:
        """The environment files as patterns below the checkout."""
        settings = self.site.target.environment
        files = [] if settings is None else [settings.file, settings.previous]
        inside = [
            file[len(self.folder) :] if file.startswith(f"{self.folder}/") else "/.env" for file in files
        ]
        first, second = [*inside, "/.env", "/.env"][:2]
        return first, second

    def _status(self, output: str) -> Status:
        changed, untracked, modules = [], [], []
        for entry in output.split("\0"):
            kind, _, rest = entry.partition(" ")
            if kind == "?":
                untracked.append(rest)
            elif kind in ("1", "2", "u"):
                fields = rest.split(" ", 9 if kind == "u" else 7)
                changed.append(fields[-1])
                if fields[1].startswith("S") and fields[1][2:] != "..":
                    modules.append(fields[-1])
        shown = tuple(name for name in untracked if not self.is_secret(name))
        return Status(tuple(changed), shown, tuple(modules))
