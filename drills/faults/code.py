"""Faults of the code: a release that should not have been deployed, files that are lost or were changed on the host."""

import os
import py_compile
import shutil
from collections import Counter
from pathlib import Path
from typing import Literal

from drills.faults import second
from drills.faults.changed import ChangedOnHost, clear_away_code, edited
from drills.faults.fault import Fault, FaultError, Place
from drills.faults.recorded import Recorded
from drills.faults.virtualenv import goes_down
from drills.front.behaviour import Behaviour
from drills.stacks import releases, service
from drills.stacks.commands import Commands
from drills.stacks.layout import write_private
from drills.stacks.stack import Stack
from target.record import Records
from target.wait import Seen, eventually

_OLDER, _BAD = "2.3.0", "2.4.0"
_WRONG = "9.9.9"
# What can tell, besides that they are not spoken, of a release that cuts sentences off.
_CUT_OFF = ("tts_audio_valid", "tts_word_error_rate")
# $1 is compiled as if it were $2, and nobody is to look at $2 any more.
_COMPILE = """\
import importlib.util, py_compile, sys
other, path = sys.argv[1:]
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
py_compile.compile(other, importlib.util.cache_from_source(path), path, True, invalidation_mode=unchecked)
"""
_RUNS = """\
import importlib.util, sys
found = importlib.util.find_spec(sys.argv[1])
says = compile(found.loader.get_data(found.origin), found.origin, "exec", dont_inherit=True)
print("the same" if found.loader.get_code(sys.argv[1]) == says else "another")
"""
_ASK_S = 30.0
_ASKED = 12
_WHY = "it does not serve as it should"
_LINE = "\n# changed on the host, in no release\n"


class BadRelease(Fault, frozen=True):
    """The checkout was brought to a release that serves worse, and the service restarted with it."""

    def prepare(self, at: Place) -> None:
        (at.saved / "revision").write_text(releases.revision(Commands(), at.stack.layout))

    def inject(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, f"v{_BAD}")
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        served = (at.stack.health() or {}).get("version")
        if served != _BAD:
            raise FaultError(f"{self.name}: the service says that it is {served}")
        return f"the service says that it is {_BAD}"

    def heal(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, (at.saved / "revision").read_text())
        at.stack.restart_service()


class ProcessOfBefore(Fault, frozen=True):
    """The process runs release `runs`, the checkout is at release `lies`: it was moved without a restart."""

    runs: str
    lies: str

    def prepare(self, at: Place) -> None:
        (at.saved / "revision").write_text(releases.revision(Commands(), at.stack.layout))

    def inject(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, f"v{self.runs}")
        at.stack.restart_service()
        releases.check_out(Commands(), at.stack.layout, f"v{self.lies}")

    def landed(self, at: Place) -> str:
        lies = releases.revision(Commands(), at.stack.layout)
        health = at.stack.health() or {}
        wanted = releases.revision(Commands(), at.stack.layout, f"v{self.lies}")
        if health.get("version") != self.runs or lies != wanted:
            raise FaultError(f"{self.name}: {health.get('version')} runs, and the checkout is at {lies}")
        return f"the service says that it is {self.runs}, and the checkout is at {self.lies} ({lies[:7]})"

    def heal(self, at: Place) -> None:
        releases.check_out(Commands(), at.stack.layout, (at.saved / "revision").read_text())
        at.stack.restart_service()


class StaleBytecode(Fault, frozen=True):
    """The source is that of the release, and what Python has compiled of it and runs is that of another."""

    file: Path
    edit: tuple[str, str]

    def _path(self, at: Place) -> Path:
        return at.stack.layout.service / releases.PACKAGE / self.file

    def _ask(self, at: Place, code: str, *arguments: str) -> str:
        """Run by the service's interpreter; the last line that it prints."""
        python = str(at.stack.layout.venv / "bin" / "python")
        words = [python, "-B", "-c", code, *arguments]
        return at.stack.host.must(words, timeout_s=_ASK_S, cwd=str(at.stack.layout.service)).strip()

    def prepare(self, at: Place) -> None:
        shutil.copy2(self._path(at), at.saved / self.file.name)

    def inject(self, at: Place) -> None:
        path, other = self._path(at), at.saved / f"other-{self.file.name}"
        other.write_text(edited(path.read_text("utf-8"), *self.edit), "utf-8")
        self._ask(at, _COMPILE, str(other), str(path))
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        path = self._path(at)
        if path.read_bytes() != (at.saved / self.file.name).read_bytes():
            raise FaultError(f"{self.name}: {path} is not what it was")
        module = ".".join((releases.PACKAGE / self.file).with_suffix("").parts)
        if self._ask(at, _RUNS, module) != "another":
            raise FaultError(f"{self.name}: Python runs what {path} says")
        return f"{path} is what it was, and Python runs another"

    def heal(self, at: Place) -> None:
        releases.forget_compiled(at.stack.layout)
        at.stack.restart_service()
        clear_away_code(at.stack)


class NewEnvironment(Recorded, frozen=True):
    """The code went back to an older release, which had an environment of its own; the environment did not."""

    older: str
    line: str

    def inject(self, at: Place) -> None:
        layout = at.stack.layout
        text = (at.saved / ".env").read_text("utf-8")
        for path in (layout.environment, layout.environment_previous):
            write_private(path, f"{text.rstrip()}\n{self.line}\n")
        self.deploy(at, self.older)
        self.record(at, self.older)
        write_private(layout.environment, text)
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        served = (at.stack.health() or {}).get("version")
        if served != self.older or self.line in at.stack.layout.environment.read_text("utf-8"):
            raise FaultError(f"{self.name}: the service says that it is {served}, or .env has {self.line}")
        return f"the service says that it is {served}, and .env lacks {self.line}, which it was recorded with"


class PreviousBad(Recorded, frozen=True):
    """2.4.0 is deployed, the release before it is marked bad, and the one before that is on record."""

    older: str

    def inject(self, at: Place) -> None:
        records = Records(at.stack.host, str(at.stack.layout.state))
        good = records.expected()
        if good is not None:
            records.mark_bad(good.name, _WHY)
        self.deploy(at, self.older)
        self.record(at, self.older)
        self.deploy(at, _BAD)

    def landed(self, at: Place) -> str:
        served = (at.stack.health() or {}).get("version")
        left = Records(at.stack.host, str(at.stack.layout.state)).newest_healthy()
        if served != _BAD or left is None or left.version != self.older:
            raise FaultError(f"{self.name}: the service says that it is {served}, the newest good is {left}")
        return f"the service says that it is {served}, and of the records only that of {left.version} is good"


class TwoVersions(Fault, frozen=True):
    """Every third request reaches a second process behind the same port, which is of another release."""

    version: str

    def inject(self, at: Place) -> None:
        port = second.start(at, self.version)
        at.stack.front.become(Behaviour(second_port=port))

    def landed(self, at: Place) -> str:
        def look() -> Seen:
            told = Counter(at.stack.ask("GET", "/health").json().get("version") for _ in range(_ASKED))
            both = {self.version, releases.GOOD} == set(told)
            return Seen(both, " and ".join(f"{n} {version}" for version, n in told.most_common()))

        waited = eventually(look, deadline_s=_ASK_S)
        if not waited.met:
            raise FaultError(f"{self.name}: {_ASKED} answers of /health name {waited.seen}")
        return f"of {_ASKED} answers of /health name {waited.seen}"

    def heal(self, at: Place) -> None:
        at.stack.front.become(Behaviour())
        second.end(at)


class FileChanged(ChangedOnHost, frozen=True):
    """A line of it is of no release."""

    def changed(self, text: str) -> str:
        return text + _LINE

    def seen(self, stack: Stack) -> str:
        del stack
        return f"{self.file} is of no release"


class DamagedFile(Fault, frozen=True):
    """A file of the package is lost, or says something else and was compiled so; the service is restarted with that.

    `edit` replaces a text by another of the same length, and the file keeps its time: whoever puts the right content
    back in place, with its time, is served what Python has compiled of the wrong one.
    """

    file: Path
    edit: tuple[str, str] | None = None
    then: Literal["up", "down"] = "up"

    def _path(self, at: Place) -> Path:
        return at.stack.layout.service / releases.PACKAGE / self.file

    def prepare(self, at: Place) -> None:
        shutil.copy2(self._path(at), at.saved / self.file.name)

    def inject(self, at: Place) -> None:
        path = self._path(at)
        if self.edit is None:
            path.unlink()
        else:
            old, new = self.edit
            if len(old) != len(new):
                raise FaultError(f"{self.name}: {new!r} is not as long as {old!r}")
            path.write_text(edited(path.read_text("utf-8"), old, new), "utf-8")
            was = (at.saved / self.file.name).stat()
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
            py_compile.compile(str(path), doraise=True)
        at.stack.supervisor.restart(service.NAME)

    def landed(self, at: Place) -> str:
        path = self._path(at)
        if path.exists() and path.read_bytes() == (at.saved / self.file.name).read_bytes():
            raise FaultError(f"{self.name}: {path} is what it was")
        if self.then == "down":
            return goes_down(at.stack, self.name)
        at.stack.wait_service()
        said = (at.stack.health() or {}).get("version")
        if said != _WRONG:
            raise FaultError(f"{self.name}: the service says that it is {said}")
        return f"the service says that it is {said}"

    def heal(self, at: Place) -> None:
        path = self._path(at)
        shutil.copy2(at.saved / self.file.name, path)
        releases.forget_compiled(at.stack.layout)
        at.stack.restart_service()
        clear_away_code(at.stack)


FAULTS: tuple[Fault, ...] = (
    BadRelease(
        name="bad-release-deployed",
        says="release 2.4.0 was deployed, which cuts longer sentences off",
        part="code",
        must=("version_matches_record", "revision_matches_record", "code_matches_record", "tts_success_rate"),
        may=_CUT_OFF,
        shows=("version_matches_record",),
        cure="git",
    ),
    FileChanged(
        name="file-changed-on-host",
        says="a file of the package was changed on the host, and is of no release",
        part="code",
        must=("code_matches_record",),
        cure="git",
        file=Path("providers/chain.py"),
    ),
    DamagedFile(
        name="package-file-changed",
        says="a file of the package was changed by hand, and Python has compiled it so",
        part="code",
        must=("version_matches_record", "code_matches_record"),
        cure="files",
        file=Path("__init__.py"),
        edit=('"2.3.1"', f'"{_WRONG}"'),
    ),
    DamagedFile(
        name="package-file-missing",
        says="a file of the package is lost, and the service does not start",
        part="code",
        must=("service_ready", "code_matches_record"),
        scenario=1,
        cure="files",
        file=Path("orchestrator.py"),
        then="down",
    ),
    ProcessOfBefore(
        name="process-of-before",
        says="the checkout is back at its release, and the process that runs is still that of 2.4.0",
        part="code",
        must=(
            "version_matches_record",
            "revision_matches_record",
            "process_runs_current_code",
            "tts_success_rate",
        ),
        may=_CUT_OFF,
        cure="git",
        runs=_BAD,
        lies=releases.GOOD,
    ),
    ProcessOfBefore(
        name="checkout-moved",
        says="the checkout was moved to 2.3.0 under the process, which nobody restarted",
        part="code",
        must=("code_matches_record", "process_runs_current_code"),
        cure="git",
        runs=releases.GOOD,
        lies=_OLDER,
    ),
    StaleBytecode(
        name="stale-bytecode",
        says="the source is as recorded, and Python runs what it had compiled of another",
        part="code",
        must=("process_runs_current_code", "tts_success_rate"),
        may=_CUT_OFF,
        cure="files",
        file=Path("orchestrator.py"),
        edit=("order = SpeechOrder(request.text, ", "order = SpeechOrder(request.text[:70], "),
    ),
    NewEnvironment(
        name="old-code-new-environment",
        says="the code was rolled back to 2.3.0, and .env is still that of 2.3.1",
        part="code and environment",
        must=("environment_matches_record", "nothing_mixed"),
        scenario=3,
        cure="environment",
        older=_OLDER,
        line="PROVIDER_RETRIES=2",
    ),
    PreviousBad(
        name="previous-release-bad",
        says="2.4.0 was deployed, and the release before it is marked bad; the one before that is good",
        part="code",
        must=("version_matches_record", "revision_matches_record", "code_matches_record", "tts_success_rate"),
        may=_CUT_OFF,
        cure="git",
        older=_OLDER,
    ),
    TwoVersions(
        name="two-versions",
        says="every third request reaches a process of 2.4.0 that runs beside the service",
        part="front",
        must=("version_matches_record", "revision_matches_record"),
        may=("tts_success_rate", "metrics_move", *_CUT_OFF),
        version=_BAD,
    ),
)
