"""The steps that give one file on the host other bytes: keep what is there, then switch by one rename."""

import shlex
from collections.abc import Iterable

from rollback.action import Plan
from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target import environment
from target.dialects import Reader
from target.errors import HostError
from target.host import FileFacts
from target.redact import secrets_of

# As the file that it will replace: owner, group, mode.
_DRESS = 'chown --reference="$1" -- "$2" && chmod --reference="$1" -- "$2" && sync -- "$2"'
# Copies need room for three files; a megabyte is what the journal and the service's own restart may want.
_ROOM = 'df -Pk -- "$1" | tail -n 1 | tr -s " " | cut -d " " -f 4; [ -w "$1" ] && [ -x "$1" ]'
_SPARE = 1 << 20


class FilePlan(Plan, frozen=True, kw_only=True):
    """`file` gets other bytes. `kept`, `beside` and `undone` are the copies that a run makes.

    `old` and `new` are keyed hashes of the two contents (`old` None where there was no file), `size` is that of the
    larger one in bytes. `changes` says in a few words what differs, without values.
    """

    file: str
    kept: str
    beside: str
    undone: str
    old: str | None = None
    new: str = ""
    size: int
    changes: str


def in_place(site: Site, path: str) -> tuple[str, FileFacts | None]:
    """The file that is to be switched: a symlink stays, and what it points to is switched. Raises Refused."""
    file, facts = path, site.host.facts(path)
    if facts is not None and facts.kind == "symlink":
        file = site.host.must(["readlink", "-f", "--", path]).rstrip("\n")
        facts = site.host.facts(file)
    if facts is not None and facts.kind != "regular":
        raise Refused(f"{path} on {site.host.url} is a {facts.kind}, not a file: correct the target")
    return file, facts


def learn_secrets(site: Site, paths: Iterable[str], reader: Reader) -> None:
    """Teach the redactor the secrets in environment files, those of them that are there."""
    for path in paths:
        facts = site.host.facts(path)
        if facts is not None and facts.kind in ("regular", "symlink"):
            site.redactor.add(secrets_of(environment.read(site.host.read(path), reader).variables))


class Files:
    """What is at the paths of a plan now, by keyed hash."""

    def __init__(self, site: Site, plan: FilePlan) -> None:
        self.site = site
        self.plan = plan

    def hash(self, path: str) -> str | None:
        """Keyed hash of the file's bytes, None when there is no file."""
        try:
            content = self.site.host.read(path)
        except HostError:
            if self.site.host.facts(path) is None:
                return None
            raise
        return self.site.records.keyed_hash(content)

    def changed(self) -> float:
        """When the file was last switched: its ctime, by the host's clock.

        Where an undo has moved it away, since there was none before, that is the ctime of what was moved.
        """
        for path in (self.plan.file, self.plan.undone):
            facts = self.site.host.facts(path)
            if facts is not None:
                return facts.changed
        return 0.0

    def put(self, wanted: str | None, source: str, like: str) -> None:
        """Switch what lies `beside`, made of `source`, into place by one rename, dressed as `like`."""
        host, plan = self.site.host, self.plan
        ran = host.shell(_DRESS, like, plan.beside)
        if not ran.ok:
            raise StepFailed(f"{plan.beside} cannot get the owner and mode of {like}: {ran.stderr.strip()}")
        if self.hash(plan.beside) != wanted:
            raise StepFailed(
                f"{source} was changed by somebody since the preflight; {plan.file} was left as it is"
            )
        host.rename(plan.beside, plan.file)

    def check_resume(self, action: str) -> None:
        """Raises Refused when the file is neither the old nor the new one."""
        if self.hash(self.plan.file) not in (self.plan.old, self.plan.new):
            raise Refused(
                f"{self.plan.file} was changed by somebody since that run was cut short: it is neither the old nor the "
                f"new file; nothing was changed. `python -m rollback {action} --undo` keeps it aside and brings back "
                "the old one"
            )

    def check_undo(self, otherwise: str) -> list[Finding]:
        """Whether the old file can come back; `otherwise` is what to do where it cannot. Raises Refused."""
        plan = self.plan
        if self.hash(plan.file) == plan.old:
            return []
        if plan.old is not None and self.hash(plan.kept) != plan.old:
            raise Refused(
                f"{plan.kept} on {self.site.host.url}, the copy of before, is missing or was changed: nothing was "
                f"changed; {otherwise}"
            )
        return [Finding(f"{plan.kept} is whole" if plan.old else "there was no file before")]

    def describe(self, new: str) -> list[str]:
        """What each file is now, in a line each; what cannot be told says so. `new` are words for the new one."""
        meanings = {self.plan.new: new, self.plan.old: "the file of before"}
        lines = []
        for path in (self.plan.file, self.plan.kept):
            try:
                found = self.hash(path)
                meaning = (
                    "not there" if found is None else meanings.get(found, "neither the old nor the new one")
                )
            except HostError as error:
                meaning = f"cannot be told: {error}"
            lines.append(f"{path}: {meaning}")
        return lines


class SetAside(Step):
    """Keeps the file that is there under another name, for whoever looks into the incident."""

    def __init__(self, site: Site, plan: FilePlan) -> None:
        self.site = site
        self.plan = plan
        self.files = Files(site, plan)
        self.name = f"set aside {plan.file.rpartition('/')[2]}"

    @property
    def commands(self) -> tuple[str, ...]:
        return (shlex.join(["cp", "-p", self.plan.file, self.plan.kept]),)

    @property
    def undoes(self) -> str:
        return ""

    def preflight(self) -> list[Finding]:
        folder = self.plan.file.rpartition("/")[0] or "/"
        ran = self.site.host.shell(_ROOM, folder)
        free = ran.stdout.strip()
        if not ran.ok:
            raise Refused(
                f"{folder} on {self.site.host.url} cannot be written to: connect as the owner of {self.plan.file}; "
                "nothing was changed"
            )
        if free.isdecimal() and int(free) * 1024 < 3 * self.plan.size + _SPARE:
            raise Refused(
                f"{folder} on {self.site.host.url}: {free} kB free, too little for copies of {self.plan.file}: free "
                "some space there; nothing was changed"
            )
        return [Finding("room for copies", minor=True)]

    def apply(self, _: Course, /) -> None:
        if self.plan.old is None or self.files.hash(self.plan.kept) == self.plan.old:
            return
        if self.files.hash(self.plan.file) != self.plan.old:
            raise StepFailed(
                f"{self.plan.file} was changed by somebody since the preflight; it was left as it is"
            )
        self.site.host.copy_beside(self.plan.file, self.plan.kept)

    def verify(self) -> str:
        if self.plan.old is None:
            return "there was none"
        if self.files.hash(self.plan.kept) != self.plan.old:
            raise StepFailed(f"{self.plan.kept} is not a whole copy of {self.plan.file}")
        return self.plan.kept.rpartition("/")[2]

    def undo(self, _: Course, /) -> str:
        return f"{self.plan.kept} stays, as evidence"


class Switch(Step):
    """Puts the new file in place by one rename; mode and owner stay those of the file in place.

    A subclass `makes` the new file beside, out of `source` (a path), and says with which commands.
    """

    def __init__(self, site: Site, plan: FilePlan, source: str) -> None:
        self.site = site
        self.plan = plan
        self.source = source
        self.files = Files(site, plan)
        self.name = f"switch {plan.file.rpartition('/')[2]}"

    @property
    def making(self) -> str:
        """The command that makes the new file beside."""
        raise NotImplementedError

    def make(self) -> None:
        """Make the new file beside; nothing is there."""
        raise NotImplementedError

    def elsewhere(self) -> bool:
        """Whether the new bytes can still be had when the file goes back to the old ones."""
        return True

    @property
    def commands(self) -> tuple[str, ...]:
        return (
            f"{self.making}, with the owner and mode of {self.plan.file}",
            shlex.join(["mv", "-T", self.plan.beside, self.plan.file]),
        )

    @property
    def undoes(self) -> str:
        if self.plan.old is None:
            return f"move {self.plan.file} to {self.plan.undone}: there was none before"
        return f"put {self.plan.kept} back as {self.plan.file} by one rename"

    def preflight(self) -> list[Finding]:
        facts = self.site.host.facts(self.plan.file)
        if facts is None:
            return []
        whoami = self.site.host.identity().partition("@")[0]
        if whoami not in ("root", facts.owner):
            raise Refused(
                f"{self.plan.file} belongs to {facts.owner}, and {whoami} could not keep that owner: connect as "
                f"{facts.owner} or root; nothing was changed"
            )
        return []

    def apply(self, _: Course, /) -> None:
        now = self.files.hash(self.plan.file)
        self.site.host.remove(self.plan.beside)
        if now == self.plan.new:
            return
        if now != self.plan.old:
            raise StepFailed(
                f"{self.plan.file} was changed by somebody since the preflight; it was left as it is"
            )
        self.make()
        self.files.put(self.plan.new, self.source, self.source if now is None else self.plan.file)

    def verify(self) -> str:
        if self.files.hash(self.plan.file) != self.plan.new:
            raise StepFailed(f"{self.plan.file} does not hold what it was to get from {self.source}")
        return self.plan.changes

    def undo(self, _: Course, /) -> str:
        plan, host = self.plan, self.site.host
        now = self.files.hash(plan.file)
        if now == plan.old:
            host.remove(plan.beside)
            return f"{plan.file} is as it was"
        if plan.old is not None and self.files.hash(plan.kept) != plan.old:
            raise StepFailed(
                f"{plan.kept}, the copy of before, is missing or was changed: {plan.file} was left as it is"
            )
        if plan.old is None:
            host.rename(plan.file, plan.undone)
            return f"there was none before; what was put there is {plan.undone} now"
        aside = ""
        if now is not None and (now != plan.new or not self.elsewhere()):
            if self.files.hash(plan.undone) != now:
                host.copy_beside(plan.file, plan.undone)
            aside = f"; what was there is kept as {plan.undone.rpartition('/')[2]}"
        host.remove(plan.beside)
        host.copy_beside(plan.kept, plan.beside)
        self.files.put(plan.old, plan.kept, plan.kept)
        if self.files.hash(plan.file) != plan.old:
            raise StepFailed(f"{plan.file} is not what it was before")
        return f"{plan.kept.rpartition('/')[2]} is {plan.file.rpartition('/')[2]} again{aside}"
