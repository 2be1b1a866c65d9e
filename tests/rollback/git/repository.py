"""A service that runs from a git checkout with a real remote: three releases, the newest of which is bad."""

import os
import shutil
import stat
import subprocess

from target.host import Host
from target.record import Record, Records

ODD = "app/odd näme\nline.txt"
RELEASES = ("2.3.0", "2.3.1", "2.4.0")
ENVIRONMENT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "releases",
    "GIT_AUTHOR_EMAIL": "releases@voice-v2.invalid",
    "GIT_COMMITTER_NAME": "releases",
    "GIT_COMMITTER_EMAIL": "releases@voice-v2.invalid",
}


def git(folder, *words, check=True):
    """What a git command prints."""
    command = ["git", "-c", "protocol.file.allow=always", "-c", "safe.directory=*", *words]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.rstrip("\n")


def write(folder, name, text, mode=0o644):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def releases(folder):
    """A repository with the three releases, tagged, and a bare remote beside it; on main, at the newest."""
    work, remote = folder / "service", folder / "service.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(folder, "init", "--quiet", "--initial-branch=main", str(work))
    package = "app/services/voice_v2"
    for version in RELEASES:
        bad = version == "2.4.0"
        write(work, "VERSION", version + "\n")
        write(work, ".gitignore", ".env\n__pycache__/\n*.log\n")
        write(work, "requirements.txt", f"httpx==0.28.1\nfastapi==0.12{1 if bad else 0}.0\n")
        write(work, f"{package}/__init__.py", f'__version__ = "{version}"\nNAME = "release"\n')
        write(work, f"{package}/core.py", f"LIMIT = {70 if bad else 4000}\n")
        write(work, "run.sh", "#!/bin/sh\n", 0o755 if bad else 0o644)
        write(work, ODD, f"{version}\n")
        (work / "current").unlink(missing_ok=True)
        (work / "current").symlink_to("core.py" if bad else "VERSION")
        if bad:
            write(work, f"{package}/fresh/module.py", "NEW = True\n")
            (work / package / "old.py").unlink()
        else:
            write(work, f"{package}/old.py", f"OLD = {version!r}\n")
        git(work, "add", "--all")
        git(work, "commit", "--quiet", "-m", version)
        git(work, "tag", f"v{version}")
    git(work, "remote", "add", "origin", str(remote))
    git(work, "push", "--quiet", "origin", "main", "--tags")


class Code:
    """The checkout of a place, and what a person does there."""

    def __init__(self, place, template):
        self.place = place
        self.template = template
        self.folder = place.folder / "service"
        self.remote = place.folder / "service.git"
        self.commits = {
            version: git(template / "service", "rev-parse", f"v{version}") for version in RELEASES
        }
        self.good, self.bad = self.commits["2.3.1"], self.commits["2.4.0"]

    def reset(self, *, dirty=False, recorded=True, env="", **code):
        """The bad release runs from main; the good one is on record. `dirty`: with work of every kind."""
        self.remove()
        shutil.copytree(self.template, self.place.folder, symlinks=True, dirs_exist_ok=True)
        git(self.folder, "remote", "set-url", "origin", str(self.remote))
        git(self.folder, "status")
        if dirty:
            self.make_dirty()
        text = f"NAME=code\nMODE=ok\nDB_PASSWORD=swordfish-one\nCHECKOUT={self.folder}\nCODE={self.folder}\n{env}"
        write(self.folder, ".env", text, 0o600)
        self.place.reset(env=text, previous=text, code={"checkout": str(self.folder), **code})
        if recorded:
            self.record("2.3.0")
            self.record("2.3.1")

    def remove(self):
        for folder in (self.folder, self.remote, self.place.folder / "library.git"):
            shutil.rmtree(folder, ignore_errors=True)

    def make_dirty(self):
        """Changed, staged, both, deleted, untracked, executable, linked, oddly named, private, and ignored."""
        write(self.folder, "VERSION", "2.4.0-hotfix\n")
        write(self.folder, "app/services/voice_v2/core.py", "LIMIT = 71\n")
        git(self.folder, "add", "app/services/voice_v2/core.py")
        write(self.folder, "app/services/voice_v2/core.py", "LIMIT = 72\n", 0o640)
        (self.folder / "run.sh").unlink()
        git(self.folder, "rm", "--quiet", "--cached", "requirements.txt")
        write(self.folder, "app/services/voice_v2/old.py", "OLD = 'by hand'\n", 0o600)
        write(self.folder, "notes/a b\n'c\".txt", "note\n")
        write(self.folder, "-n", "dash\n")
        write(self.folder, "hotfix.sh", "#!/bin/sh\n", 0o750)
        (self.folder / "link").symlink_to("nowhere at all")
        write(self.folder, ODD, "changed\n")
        write(self.folder, "service.log", "ignored\n")
        write(self.folder, ".env.local", "TOKEN=swordfish-local\n", 0o600)
        for path in self.folder.rglob("*"):
            if ".git" not in path.parts:
                os.utime(path, (1763630000, 1763630000), follow_symlinks=False)

    def record(self, version, **more):
        records = Records(Host("local://"), str(self.place.state))
        names = {"name": version, "version": version, "revision": self.commits[version]}
        taken = f"2026-11-2{RELEASES.index(version)}T09:12:00Z"
        records.save(Record(**{**names, "taken_at": taken, "taken_by": "tests", "state": "healthy", **more}))
        return records

    def work(self):
        """Every path of the work tree: kind, mode, owner, mtime, link or content; bytecode and folders' times aside."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name.split("/", maxsplit=1)[0] == ".git" or "__pycache__" in name:
                continue
            facts = path.lstat()
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            times = None if stat.S_ISDIR(facts.st_mode) else (facts.st_mtime_ns, facts.st_nlink)
            found[name] = (facts.st_mode, facts.st_uid, facts.st_gid, times, content)
        return found

    def head(self):
        return git(self.folder, "rev-parse", "HEAD")

    def branch(self):
        return git(self.folder, "symbolic-ref", "--short", "HEAD", check=False)

    def status(self):
        return git(self.folder, "status", "--porcelain")

    def state(self):
        """What an undo brings back: work tree, branch, commit, index, branches."""
        staged = git(self.folder, "ls-files", "--stage", "--debug")
        staged = [line for line in staged.splitlines() if not line.startswith("  ")]
        return self.work(), self.branch(), self.head(), staged, self.status(), git(self.folder, "branch")

    def is_good(self):
        assert self.head() == self.good
        assert self.branch().startswith("rollback-")
        assert git(self.folder, "diff", "HEAD") == ""
        left = [line for line in self.status().splitlines() if ".env" not in line]
        assert left == []
        assert not (self.folder / "app/services/voice_v2/fresh").exists()
        assert not list(self.folder.glob(".git/*.lock"))
