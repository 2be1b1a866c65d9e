"""The action `files`, Level 2: code and requirements from a dated backup, and the packages that they ask for."""

import re

from packaging.utils import canonicalize_name

from rollback import migration, venv
from rollback.action import Survey
from rollback.actions.files.candidate import Candidate, of_folder, of_record
from rollback.actions.files.making import TOOLS, MakeVirtualenv
from rollback.actions.files.plan import FilesPlan, Making
from rollback.actions.files.restoring import RestoreBeside
from rollback.destination import destination
from rollback.difference import same_revision
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.readiness import ask_health, ready, started, started_after
from rollback.running import runs_from
from rollback.site import Site
from rollback.step import Finding, Step
from rollback.swap import Swap, Switch, swap
from rollback.swapping import SwapAction, short
from target import bytecode, capture
from target.api import Health
from target.description import Code
from target.errors import ApiError, HostError, TargetError
from target.packages import Installed, asked_for, installed
from target.record import CodeRecord, Record

# When code was last put there: what Python compiles into the folder does not count.
_NEWEST = """
cd -- "$1" || exit 0
find "./$2" "./$3" -name __pycache__ -prune -o ! -type d -exec stat -c %.9Z -- {} + 2>/dev/null | sort -n | tail -n 1
"""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])? *==", re.MULTILINE)
_VIRTUALENV = "virtualenv"


class FilesAction(SwapAction[FilesPlan]):
    """`to` is a backup's folder (it has a slash), or the record whose backup to go to.

    Raises TargetError when the target has no `code.backups` and no folder is named.
    """

    name = "files"
    level = 2
    part = "code"
    plan_type = FilesPlan

    def __init__(self, site: Site, to: str | None, record: Record | None) -> None:
        super().__init__(site, to, record)
        self.folder = to if to is not None and "/" in to else None
        code = site.target.code
        if code is None or (code.backups is None and self.folder is None):
            raise TargetError(
                f"{site.target.source or site.target.name}: no `code.backups`: name the dated folders of the backups, "
                "e.g. /backup/voice_v2_%Y%m%d; `python -m rollback snapshot code` takes one"
            )
        self.code: Code = code
        self.checkout = code.checkout.rstrip("/")

    def survey(self, stamp: str, _last: Story | None, /) -> Survey[FilesPlan]:
        status = self.status()
        works, seen, health = ready(self.site, at_first=True)
        live = self._live()
        record = None if self.folder else self.given or destination(self.site, self.to)
        found = self._backup(record) if record is None or record.code is None else None
        if found is not None:
            record = found.record
        young = started_after(status, self._changed())
        wanted = found.held if found else record.code if record else None
        # What Python has compiled may be of other code, so that a restart alone would not do.
        right = _tree(live) == _tree(wanted) and young and _serves(health, record) and not self._misread()
        if not right and found is None:
            found = self._backup(record)
        source = self.checkout if right or found is None else found.path
        making, findings = self._packages(source, "" if right else f".next.{stamp}", record)
        swaps = (
            *(() if right or found is None else self._swaps(stamp, found)),
            *self._new_virtualenv(stamp, making),
        )
        goal = self._goal(record, found)
        already = "" if swaps else self._already(goal, works, seen, started(status))
        plan = FilesPlan(
            was_ready=works,
            source=source,
            swaps=swaps,
            goal=goal,
            asked=self.to,
            record=record.name if record else None,
            expected_before=self.expected() if record else None,
            tree=_tree(found.held if found else live),
            suffix=f".next.{stamp}",
            making=making,
            elsewhere=self._elsewhere(live, record),
            migration=None if right or record is None else migration.crossing(self.site, record),
        )
        if not right and record is not None:
            findings += migration.judge(self.site, record)
        if plan.elsewhere:
            stays = f"the checkout stays at {plan.elsewhere[:7]}, and /health may name that"
            findings.append(Finding(f"{stays}: python -m rollback git moves it", doubt=True))
        whole = found.findings if found else (Finding(f"the code in {source} is as recorded"),)
        return Survey(
            goal=goal,
            message=f"{source} to {self.checkout}",
            plan=plan,
            findings=(*whole, *findings, Finding(f"now: {started(status)}, {seen}")),
            already=already,
        )

    def changes(self, plan: FilesPlan) -> tuple[Step, ...]:
        code = tuple(each for each in plan.swaps if each.what != _VIRTUALENV)
        steps: list[Step] = [RestoreBeside(self.site, plan, code)] if code else []
        if plan.making is not None:
            record = self.site.records.get(plan.record) if plan.record else None
            steps.append(MakeVirtualenv(self.site, plan.making, plan.swaps[-1], record))
        return (
            *migration.steps(self.site, plan.migration),
            *steps,
            Switch(self.site, plan.swaps, lambda: self._in_place(plan)),
        )

    def evidence(self, plan: FilesPlan, /) -> str:
        said = [self._in_place(plan)]
        if plan.making is not None:
            said.append(runs_from(self.site, plan.swaps[-1].live, "virtualenv.path"))
        if plan.elsewhere and plan.record and not plan.named:
            self._check_version(plan.record)
        return ", ".join(text for text in said if text)

    def lenient(self, plan: FilesPlan) -> bool:
        return plan.named or bool(plan.elsewhere)

    def _misread(self) -> bool:
        """Whether Python runs something else than the code in place, which it had compiled of another."""
        try:
            return bool(bytecode.of_service(self.site.target, self.site.host))
        except HostError:
            return False

    def _live(self) -> CodeRecord | None:
        """The code in place; None where it cannot be read, the package being gone for one."""
        try:
            return capture.code(self.site.target, self.site.host)
        except HostError:
            return None

    def _backup(self, record: Record | None) -> Candidate:
        if self.folder is not None:
            return of_folder(self.site, self.code, self.folder)
        assert record is not None
        return of_record(self.site, self.code, record)

    def _goal(self, record: Record | None, found: Candidate | None) -> str:
        of = found.record if found else record
        name = f" ({found.path.rpartition('/')[2]})" if found else ""
        return f"code of {short(of)}{name}" if of else f"code on no record{name}"

    def _packages(
        self, source: str, suffix: str, record: Record | None
    ) -> tuple[Making | None, list[Finding]]:
        """What a new virtualenv would have to be made of, where the requirements ask for what is not there."""
        settings = self.site.target.virtualenv
        if settings is None:
            return None, [Finding("no `virtualenv` in the target: packages are not looked at", doubt=True)]
        if self.given is not None and settings.backup is not None:
            return None, [Finding("packages are the business of `virtualenv`", minor=True)]
        try:
            text = self.site.host.read(f"{source}/{self.code.requirements}").decode("utf-8", "replace")
        except HostError as error:
            return None, [Finding(f"what packages it needs is not known: {error}", doubt=True)]
        try:
            found = installed(self.site.host, f"{settings.path.rstrip('/')}/bin/python")
        except HostError as error:
            raise Refused(
                f"{error}: what it has of the packages is not known; first: python -m rollback virtualenv; nothing was "
                "changed"
            ) from error
        lacking, unknown = asked_for(found, text)
        findings = []
        if unknown:
            findings.append(Finding(f"{len(unknown)} lines of its requirements were not judged", doubt=True))
        if not lacking:
            return None, [Finding("its requirements are installed"), *findings]
        findings.append(Finding(f"a new virtualenv is made, since it needs {venv.some(lacking)}"))
        return self._making(
            found, text, f"{self.checkout}/{self.code.requirements}{suffix}", record
        ), findings

    def _making(self, found: Installed, text: str, requirements: str, record: Record | None) -> Making:
        hashes = "--hash=" in text
        wanted = record.packages if record and record.packages is not None else {}
        tools = wanted or found.packages
        pinned = {canonicalize_name(name) for name in _PINNED.findall(text)} | set(TOOLS)
        pins = {name: version for name, version in wanted.items() if " " not in f"{name}{version}"}
        return Making(
            base=found.base,
            requirements=requirements,
            wheelhouse=self.code.wheelhouse,
            hashes=hashes,
            constraints=()
            if hashes
            else tuple(f"{name}=={version}" for name, version in pins.items() if name not in pinned),
            tools=tuple(f"{name}=={tools[name]}" for name in TOOLS if name in tools),
        )

    def _swaps(self, stamp: str, found: Candidate | None) -> tuple[Swap, ...]:
        paths = {"code": self.code.package}
        if found is not None and self.code.requirements in found.held.files:
            paths["requirements"] = self.code.requirements
        return tuple(self._swap(what, f"{self.checkout}/{path}", stamp) for what, path in paths.items())

    def _new_virtualenv(self, stamp: str, making: Making | None) -> tuple[Swap, ...]:
        settings = self.site.target.virtualenv
        if making is None or settings is None:
            return ()
        return (self._swap(_VIRTUALENV, settings.path.rstrip("/"), stamp),)

    def _swap(self, what: str, live: str, stamp: str) -> Swap:
        facts = self.site.host.facts(live)
        return swap(what, live, f"{live}.next.{stamp}", stamp, facts.inode if facts else None)

    def _elsewhere(self, live: CodeRecord | None, record: Record | None) -> str:
        """The checkout's revision, where it is not the record's."""
        here = live.revision if live else None
        if here is None or record is None or record.revision is None or same_revision(here, record.revision):
            return ""
        return here

    def _changed(self) -> float:
        ran = self.site.host.shell(_NEWEST, self.checkout, self.code.package, self.code.requirements)
        return float(ran.stdout.strip() or 0)

    def _already(self, goal: str, works: bool, seen: str, process: str) -> str:
        """Why there is nothing to do. Raises Refused: going there would mend nothing."""
        if works:
            return f"{self.checkout} has the {goal}, {process}, after it"
        raise Refused(
            f"{self.checkout} has the {goal} already, {process}, after it, and {seen}: going to it mends nothing. "
            "Nothing was changed; `python -m checks triage` says what does"
        )

    def _in_place(self, plan: FilesPlan) -> str:
        try:
            found = capture.code(self.site.target, self.site.host)
        except HostError as error:
            raise StepFailed(str(error)) from error
        if found.tree_sha256 != plan.tree:
            raise StepFailed(f"the code in {self.checkout} is not that of {plan.source}")
        return f"{len(found.files)} files of code as {'recorded' if plan.record else 'backed up'}"

    def _check_version(self, name: str) -> None:
        """The revision stays with the checkout, the version may not."""
        record = self.site.records.get(name)
        try:
            version = ask_health(self.site).version
        except ApiError as error:
            raise StepFailed(str(error)) from error
        if record.version and version != record.version:
            raise StepFailed(f"serves {version}, and this code is that of {record.version}")


def _serves(health: Health | None, record: Record | None) -> bool:
    """Whether what is served is not known to be another version."""
    return health is not None and (
        record is None or record.version is None or health.version == record.version
    )


def _tree(code: CodeRecord | None) -> str:
    return code.tree_sha256 if code is not None else ""
