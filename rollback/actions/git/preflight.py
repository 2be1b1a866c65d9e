"""What is refused before anything is changed, and what is worth telling: of the checkout, and of where it goes."""

import re

from rollback.actions.git.checkout import Checkout, Look
from rollback.actions.git.steps import Module, some
from rollback.errors import Refused
from rollback.step import Finding
from target.record import Record

_SPARE = 16 << 20
_OLDEST = (2, 20)
_UNCHANGED = "nothing was changed"
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def refuse_unusable(checkout: Checkout, look: Look) -> None:
    """Whether one can work in the checkout at all. Raises Refused."""
    where = f"{checkout.folder} on {checkout.site.host.url}"
    version = re.search(r"(\d+)\.(\d+)", look.sections.get("git", ""))
    if version is None:
        raise Refused(
            f"git is not there on {checkout.site.host.url}: install it, or restore the code from its backup "
            f"(python -m rollback files); {_UNCHANGED}"
        )
    if (int(version[1]), int(version[2])) < _OLDEST:
        raise Refused(f"git on {checkout.site.host.url} is {version[0]}, older than 2.20; {_UNCHANGED}")
    kind = look.sections["kind"].strip()
    if kind != "folder":
        what = {
            "file": "is a worktree or a submodule of another repository, not a checkout of its own",
            "bare": "is a bare repository, without a work tree",
        }.get(kind, "is not a git checkout (it has no .git)")
        raise Refused(
            f"{where} {what}: correct code.checkout, or take python -m rollback files; {_UNCHANGED}"
        )
    user, owner, uid, owner_uid = [*look.lines("user"), "", "", "", ""][:4]
    if uid != owner_uid:
        raise Refused(
            f"{where} belongs to {owner}, and {user} could not keep that owner: connect as {owner} or root; "
            f"{_UNCHANGED}"
        )
    if "unwritable" in look.lines("settings"):
        raise Refused(
            f"{where}: {owner} cannot write to it or to its .git (a read-only disk, or files of another user in .git): "
            f"mend that; {_UNCHANGED}"
        )
    if not look.head:
        raise Refused(f"{where} has no commit yet, so there is none to go back to; {_UNCHANGED}")
    _refuse_unsettled(where, look)


def _refuse_unsettled(where: str, look: Look) -> None:
    busy = look.lines("busy")
    if busy:
        raise Refused(
            f"{where} is in the middle of a {busy[0]}: end it first, with `git {busy[0]} --abort` for one; {_UNCHANGED}"
        )
    for lock in look.lines("locks"):
        name, _, process = lock.partition(" ")
        if process:
            raise Refused(f"git is at work in {where} ({name}, process {process}): wait for it; {_UNCHANGED}")
    if "sparse" in look.lines("settings"):
        raise Refused(
            f"{where} is a sparse checkout, which this does not switch: `git sparse-checkout disable` first, or python "
            f"-m rollback files; {_UNCHANGED}"
        )
    owners = look.lines("owners")
    if owners:
        owner, _, name = owners[0].partition(" ")
        good = look.lines("user")[1]
        raise Refused(
            f"{where} belongs to {good}, and {name} in it to {owner}: a switch would change that owner; "
            f"chown it to {good} first; {_UNCHANGED}"
        )
    if look.status.modules:
        raise Refused(
            f"the submodule {some(look.status.modules)} of {where} has changes of its own, which would be lost: commit "
            f"or stash them there; {_UNCHANGED}"
        )
    nested = [name for name in look.status.untracked if name.endswith("/")]
    if nested:
        raise Refused(
            f"{some(nested)} in {where} is an untracked repository of its own: move it away, or have git ignore it; "
            f"{_UNCHANGED}"
        )


def lacks(look: Look) -> str:
    """What of the commit is not here, in words; empty when it is here and whole."""
    if not look.commit:
        return "it is not here"
    missing = look.lines("missing")
    if missing:
        return f"objects of it are missing ({missing[0].lstrip('?')[:60]})"
    modules = [line.split(" ", 2)[2] for line in look.lines("modules") if line.startswith("lacks ")]
    if modules:
        return f"its commit of the submodule {some(modules)} is not here"
    if "ready" in look.lines("lfs") and any(line.startswith("lacks ") for line in look.lines("lfs")):
        return "files of it that git-lfs holds are not here"
    return ""


def refuse_commit(checkout: Checkout, look: Look, name: str) -> None:
    """Whether one can go to the commit that is here and whole. Raises Refused."""
    where = f"{checkout.folder} on {checkout.site.host.url}"
    lfs = look.lines("lfs")
    if any(line.startswith("lacks ") for line in lfs) or ("used" in lfs and "ready" not in lfs):
        raise Refused(
            f"{name} has files in git-lfs, which is not set up on {checkout.site.host.url}: install it there and run "
            f"`git lfs install`, or take python -m rollback files; {_UNCHANGED}"
        )
    secrets = look.lines("secrets")
    if secrets:
        raise Refused(
            f"{secrets[0]} in {where} holds the environment, and {name} has another one of it: a switch of the code "
            f"would switch it too; take it out of git (`git rm --cached`), or python -m rollback files; {_UNCHANGED}"
        )
    way = look.lines("way")
    if way:
        raise Refused(
            f"{some(way)} in {where} is ignored by git, and {name} has a file of that name: move it away first; "
            f"{_UNCHANGED}"
        )
    for line in look.lines("modules"):
        state, _, path = line.split(" ", 2)
        if state == "absent":
            raise Refused(
                f"{name} has the submodule {path}, which was never checked out in {where}, so that nobody can see "
                f"whether its commit can be had: take python -m rollback files; {_UNCHANGED}"
            )
        if state == "gone":
            raise Refused(
                f"{name} does not have the submodule {path}, which is checked out in {where}: "
                f"`git submodule deinit {path}` first; {_UNCHANGED}"
            )
    need = sum(map(int, look.lines("sizes"))) + _SPARE
    free = look.sections.get("free", "").strip()
    if free.isdecimal() and int(free) * 1024 < need:
        raise Refused(
            f"{where}: {free} kB free, and {name} needs {need // 1024}: free some space there; {_UNCHANGED}"
        )


def findings(look: Look, name: str) -> list[Finding]:
    """What is worth telling of the checkout and the commit."""
    found = []
    status = look.status
    if status.changed or status.untracked:
        parts = []
        if status.changed:
            parts.append(f"{len(status.changed)} changed ({some(status.changed)})")
        if status.untracked:
            parts.append(f"{len(status.untracked)} untracked ({some(status.untracked)})")
        found.append(Finding(f"{' and '.join(parts)}: kept on a ref, and back with --undo", doubt=True))
    found += [
        Finding(f"{lock.strip()} was left by a git that is gone; it is moved aside", doubt=True)
        for lock in look.lines("locks")
    ]
    packages = requirements_differ(
        look.sections.get("requirements", ""), look.sections.get("requirements then", "")
    )
    if packages:
        found.append(
            Finding(
                f"{name} requires other packages ({some(packages)}), and those that are installed stay: to bring them "
                "back too, `python -m rollback set`, or after this `python -m rollback virtualenv`",
                doubt=True,
            )
        )
    if any(line.startswith("left ") for line in look.lines("modules")):
        found.append(Finding("submodules that are not checked out stay so", minor=True))
    return found


def modules(look: Look) -> tuple[Module, ...]:
    """The submodules that are checked out."""
    fields = [line.split(" ", 2) for line in look.lines("modules") if line.startswith("here ")]
    return tuple(Module(path, "" if branch == "-" else branch) for _, branch, path in fields)


def requirements_differ(now: str, then: str) -> list[str]:
    """Names of the packages whose lines differ between two lists of requirements."""
    return sorted({_package(line) for line in _lines(now) ^ _lines(then)})


def record_of(records: list[Record], commit: str, expected: str | None) -> Record | None:
    """The record of a commit: what should be running before others, a healthy one before a bad one."""
    same = [record for record in records if record.revision and commit.startswith(record.revision.lower())]
    same.sort(key=lambda record: (record.state != "healthy", record.name != expected))
    return next(iter(same), None)


def _lines(text: str) -> set[str]:
    stripped = (line.partition("#")[0].strip().rstrip("\\").strip() for line in text.splitlines())
    return {line for line in stripped if line and not line.startswith("--hash")}


def _package(line: str) -> str:
    match = _REQUIREMENT.match(line)
    return match[1].lower() if match else line
