"""The service's code: a repository with releases made of the reference service, and a checkout."""

import os
import shutil
from pathlib import Path

import msgspec

from drills.stacks.commands import Commands, base_environment
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout

SOURCE = Path(__file__).resolve().parents[1] / "voice_v2"
GOOD = "2.3.1"
PACKAGE = Path("app/services/voice_v2")
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".env", ".env.previous", "venv", ".venv", ".*_cache"
)
_IGNORED = ".env\n.env.*\n!.env.example\n__pycache__/\n"
_GIT_S = 30.0


class Release(msgspec.Struct, frozen=True):
    """A tagged version: what its commit says, and the edit (file, old text, new text) that sets its code apart."""

    version: str
    says: str
    edits: tuple[tuple[Path, str, str], ...] = ()


RELEASES = (
    Release("2.3.0", "Fall back to the next provider when one fails"),
    Release(GOOD, "Close the circuit again after a good answer"),
    # Seventy where the providers' limit is some thousands: short greetings are spoken, a sentence is cut off.
    Release(
        "2.4.0",
        "Keep texts within the providers' limit",
        (
            (
                PACKAGE / "orchestrator.py",
                "order = SpeechOrder(request.text, ",
                "order = SpeechOrder(request.text[:70], ",
            ),
        ),
    ),
)


def make_repository(commands: Commands, layout: Layout) -> None:
    """Make the repository with a tag for each release, and the checkout of the good one."""
    work = layout.service
    shutil.copytree(SOURCE, work, ignore=_LEFT_OUT)
    ignore = work / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORED)
    _git(commands, layout.root, "init", "--quiet", "--bare", "--initial-branch=main", str(layout.repository))
    _git(commands, work, "init", "--quiet", "--initial-branch=main")
    _git(commands, work, "remote", "add", "origin", str(layout.repository))
    version_file = work / PACKAGE / "__init__.py"
    for number, release in enumerate(RELEASES):
        _set_version(version_file, release.version)
        for path, old, new in release.edits:
            _edit(work / path, old, new)
        _git(commands, work, "add", "--all")
        day = f"2026-01-{10 + number:02d}T09:00:00+0000"
        _git(
            commands,
            work,
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            f"{release.version}: {release.says}",
            day=day,
        )
        _git(commands, work, "tag", f"v{release.version}")
    _git(commands, work, "push", "--quiet", "origin", "main", "--tags")
    _git(commands, work, "checkout", "--quiet", f"v{GOOD}")


def revision(commands: Commands, layout: Layout, name: str = "HEAD") -> str:
    """The SHA that a name stands for in the checkout."""
    return _git(commands, layout.service, "rev-parse", f"{name}^{{commit}}").strip()


def check_out(commands: Commands, layout: Layout, name: str) -> None:
    """Bring the checkout to a tag or SHA, as a deployment does. What is not committed stays where it can.

    Releases are of one size and checked out within the second that Python looks at: it compiles them anew.
    """
    _git(commands, layout.service, "checkout", "--quiet", "--detach", name)
    forget_compiled(layout)


def forget_compiled(layout: Layout) -> None:
    """Have Python compile the package anew: one file may have been another within the second that it looks at."""
    for folder in (layout.service / PACKAGE).rglob("__pycache__"):
        shutil.rmtree(folder, ignore_errors=True)


def archive(commands: Commands, layout: Layout, name: str, to: Path) -> None:
    """Write the files of a tag or SHA as a tar."""
    _git(commands, layout.service, "archive", "--format=tar", "--output", str(to), name)


def _set_version(path: Path, version: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    at = [number for number, line in enumerate(lines) if line.startswith("__version__ = ")]
    if len(at) != 1:
        raise StackError(f"the reference service does not state its version once in {path}")
    lines[at[0]] = f'__version__ = "{version}"\n'
    path.write_text("".join(lines))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise StackError(
            f"a release's edit does not fit the reference service: {old!r} is not once in {path}"
        )
    path.write_text(text.replace(old, new))


def _git(commands: Commands, folder: Path, *arguments: str, day: str = "2026-01-10T09:00:00+0000") -> str:
    environment = {
        **base_environment(),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "voice-v2 releases",
        "GIT_AUTHOR_EMAIL": "releases@voice-v2.invalid",
        "GIT_COMMITTER_NAME": "voice-v2 releases",
        "GIT_COMMITTER_EMAIL": "releases@voice-v2.invalid",
        "GIT_AUTHOR_DATE": day,
        "GIT_COMMITTER_DATE": day,
    }
    command = ["git", "-c", "safe.directory=*", *arguments]
    return commands.must("git", command, cwd=folder, environment=environment, timeout_s=_GIT_S)
