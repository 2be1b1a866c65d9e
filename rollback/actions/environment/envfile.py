"""The steps that put one environment file in the place of another: keep what is there, then switch by one rename."""

import shlex

from rollback.action import Plan
from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.errors import HostError

# As the file that it will replace: owner, group, mode.
_DRESS = 'chown --reference="$1" -- "$2" && chmod --reference="$1" -- "$2" && sync -- "$2"'
# Copies need room for three files; a megabyte is what the journal and the service's own restart may want.
_ROOM = 'df -Pk -- "$1" | tail -n 1 | tr -s " " | cut -d " " -f 4; [ -w "$1" ] && [ -x "$1" ]'
_SPARE = 1 << 20


class EnvironmentPlan(Plan, frozen=True, kw_only=True):
    """`file` is replaced by the bytes of `source`. `kept`, `beside` and `undone` are the copies that a run makes.

    `old` and `new` are keyed hashes of the two contents (`old` None where there was no file). `changes` names the
    variables that differ. `restart_only`: the file is in place, the process is not. `named`: by the person, with --to.
    """

    file: str
    source: str
    kept: str
    beside: str
    undone: str
    old: str | None = None
    new: str = ""
    size: int
    changes: str
    restart_only: bool
    named: bool
    record: str | None
    expected_before: str | None


class EnvFile:
    """What is at the paths of a plan now, by keyed hash."""

    def __init__(self, site: Site, plan: EnvironmentPlan) -> None:
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
        """When the environment file was last switched: its ctime, by the host's clock.

        Where an undo has moved it away, since there was none before, that is the ctime of what was moved.
        """
        for path in (self.plan.file, self.plan.undone):
            facts = self.site.host.facts(path)
            if facts is not None:
                return facts.changed
        return 0.0

    def copy(self, source: str, like: str) -> None:
        """Put the bytes of `source`, dressed as `like`, in place of the environment file by one rename."""
        host, plan = self.site.host, self.plan
        host.remove(plan.beside)
        host.copy_beside(source, plan.beside)
        ran = host.shell(_DRESS, like, plan.beside)
        if not ran.ok:
            raise StepFailed(f"{plan.beside} cannot get the owner and mode of {like}: {ran.stderr.strip()}")
        if self.hash(plan.beside) != (plan.new if source == plan.source else plan.old):
            raise StepFailed(
                f"{source} was changed by somebody since the preflight; {plan.file} was left as it is"
            )
        host.rename(plan.beside, plan.file)


class SetAside(Step):
    """Keeps the environment file that is there under another name, for whoever looks into the incident."""

    name = "set aside .env"

    def __init__(self, site: Site, plan: EnvironmentPlan) -> None:
        self.site = site
        self.plan = plan
        self.files = EnvFile(site, plan)

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
    """Puts the previous environment file in place by one rename; mode and owner stay those of the file in place."""

    name = "switch .env"

    def __init__(self, site: Site, plan: EnvironmentPlan) -> None:
        self.site = site
        self.plan = plan
        self.files = EnvFile(site, plan)

    @property
    def commands(self) -> tuple[str, ...]:
        return (
            shlex.join(["cp", "-p", self.plan.source, self.plan.beside]) + ", with the owner and mode of "
            f"{self.plan.file}",
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
        if now == self.plan.new:
            self.site.host.remove(self.plan.beside)
            return
        if now != self.plan.old:
            raise StepFailed(
                f"{self.plan.file} was changed by somebody since the preflight; it was left as it is"
            )
        self.files.copy(self.plan.source, self.plan.source if now is None else self.plan.file)

    def verify(self) -> str:
        if self.files.hash(self.plan.file) != self.plan.new:
            raise StepFailed(f"{self.plan.file} does not hold the bytes of {self.plan.source}")
        as_recorded = f" · as recorded for {self.plan.record}" if self.plan.record else ""
        return f"{self.plan.changes}{as_recorded}"

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
        if now is not None and (now != plan.new or self.files.hash(plan.source) != plan.new):
            if self.files.hash(plan.undone) != now:
                host.copy_beside(plan.file, plan.undone)
            aside = f"; what was there is kept as {plan.undone.rpartition('/')[2]}"
        self.files.copy(plan.kept, plan.kept)
        if self.files.hash(plan.file) != plan.old:
            raise StepFailed(f"{plan.file} is not what it was before")
        return f"{plan.kept.rpartition('/')[2]} is {plan.file.rpartition('/')[2]} again{aside}"


def describe_state(site: Site, plan: EnvironmentPlan) -> list[str]:
    """What each of the files is now, in a line each; what cannot be told says so."""
    files = EnvFile(site, plan)
    meanings = {plan.new: f"the file of {plan.source}", plan.old: "the file of before"}
    lines = []
    for path in (plan.file, plan.kept):
        try:
            found = files.hash(path)
            meaning = "not there" if found is None else meanings.get(found, "neither the old nor the new one")
        except HostError as error:
            meaning = f"cannot be told: {error}"
        lines.append(f"{path}: {meaning}")
    return lines
