"""Remotes, submodules, shallow and partial clones, git-lfs, hooks, owners, bytecode: what each comes to."""

import importlib.util
import os
import py_compile
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rollback.actions.git.steps import Push
from tests.rollback.git.repository import git, write

pytestmark = pytest.mark.drill

PACKAGE = "app/services/voice_v2"


def said(out):
    return " ".join(out.split())


def run(code, *arguments, status=0):
    found, out = code.place.run("git", *arguments)
    assert found == status, out
    assert "swordfish" not in out
    return said(out)


def branches(code):
    """The branches of the remote, `main` aside: name → commit."""
    lines = git(
        code.remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"
    ).splitlines()
    return {name: commit for name, _, commit in (line.partition(" ") for line in lines) if name != "main"}


def clone(code, *options):
    """The checkout made anew from the remote, by way of a URL, with the service running from it."""
    shutil.rmtree(code.folder)
    git(code.place.folder, "clone", "--quiet", *options, f"file://{code.remote}", str(code.folder))
    write(code.folder, ".env", code.place.env.read_text(), 0o600)
    code.place.restart()


class TestPush:
    def test_the_branch_and_nothing_else(self, code):
        main = git(code.remote, "rev-parse", "main")
        out = run(code, "--push")
        assert branches(code) == {code.branch(): code.good}
        assert git(code.remote, "rev-parse", "main") == main
        assert f"{code.branch()} is on origin" in out
        run(code, "--undo")
        assert branches(code) == {}

    def test_asked_for_by_the_target(self, code):
        code.place.write_target(code={"checkout": str(code.folder), "push": True})
        run(code)
        assert branches(code) == {code.branch(): code.good}

    def test_rejected_by_the_remote_is_undone(self, code):
        write(
            code.remote,
            "hooks/pre-receive",
            "#!/bin/sh\necho 'branches are closed tonight' >&2\nexit 1\n",
            0o755,
        )
        before = code.state()
        out = run(code, "--push", status=1)
        assert "origin rejected the branch" in out
        assert "branches are closed tonight" in out
        assert code.state() == before
        assert code.place.serves() is not None

    def test_a_remote_that_hangs_is_undone(self, code, monkeypatch):
        monkeypatch.setattr("rollback.actions.git.steps._PUSH_S", 1.0)
        write(code.remote, "hooks/pre-receive", "#!/bin/sh\nexec sleep 20\n", 0o755)
        before = code.state()
        assert "killed, not finished within 1 s" in run(code, "--push", status=1)
        assert code.state() == before

    def test_what_somebody_pushed_onto_it_stays(self, code):
        run(code, "--push")
        git(code.remote, "update-ref", f"refs/heads/{code.branch()}", code.bad)
        assert "stays on origin" in run(code, "--undo")
        assert list(branches(code).values()) == [code.bad]

    def test_killed_right_after(self, code):
        def die():
            Push.verify = lambda _: os.kill(os.getpid(), signal.SIGKILL)

        code.place.run_and_kill(die, "git", "--push")
        assert list(branches(code).values()) == [code.good], "pushed, and not yet noted"
        run(code)
        assert branches(code) == {code.branch(): code.good}


class TestDeploy:
    def deploy(self, code, command, **more):
        code.place.write_target(code={"checkout": str(code.folder), "deploy": command, **more})

    def test_runs_in_the_checkout_after_the_switch_and_after_an_undo(self, code):
        self.deploy(code, "git rev-parse HEAD >>deploys.log; echo built")
        assert "built" in run(code)
        run(code, "--undo")
        assert (code.folder / "deploys.log").read_text().split() == [code.good, code.bad]

    def test_one_that_fails_is_undone_and_its_last_words_are_told(self, code):
        self.deploy(code, "echo password swordfish-one is wrong; exit 3")
        before = code.state()
        out = run(code, status=1)
        assert "ended with status 3" in out
        assert "password •••• is wrong" in out or "password ???? is wrong" in out
        assert code.state() == before

    def test_one_that_hangs_is_undone(self, code):
        self.deploy(code, "sleep 20", deploy_s=0.3)
        before = code.state()
        assert "did not end within 0.3 s" in run(code, status=1)
        assert code.state() == before


class TestClone:
    @pytest.mark.parametrize(
        "options", [("--depth", "1"), ("--filter=blob:none",)], ids=["shallow", "partial"]
    )
    def test_what_is_not_here_is_fetched(self, code, options):
        git(code.remote, "config", "uploadpack.allowFilter", "true")
        clone(code, *options)
        out = run(code)
        assert f"{code.good[:7]} fetched from origin, whole" in out
        code.is_good()
        run(code, "--undo")
        assert code.branch() == "main"

    def test_a_server_that_gives_only_what_has_a_name(self, code):
        git(code.remote, "config", "protocol.version", "0")
        clone(code, "--depth", "1")
        git(code.folder, "config", "protocol.version", "0")
        run(code)
        code.is_good()

    def test_a_tag_that_is_not_here(self, code):
        clone(code, "--depth", "1")
        run(code, "--to", "v2.3.0")
        assert code.head() == code.commits["2.3.0"]

    def test_a_file_that_is_missing_is_fetched_again(self, code):
        blob = git(code.folder, "rev-parse", f"{code.good}:{PACKAGE}/core.py")
        (code.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
        assert "fetched from origin, whole" in run(code)
        code.is_good()

    def test_no_remote_is_no_obstacle_where_the_commit_is_here(self, code):
        git(code.folder, "remote", "remove", "origin")
        assert "is here, whole, and there is no remote origin" in run(code)
        code.is_good()

    def test_a_remote_that_does_not_answer_is_not_asked(self, code):
        shutil.rmtree(code.remote)
        run(code)
        code.is_good()


def test_no_hook_of_the_repository_runs(code):
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "pre-push", "pre-commit"):
        write(code.folder, f".git/hooks/{hook}", f"#!/bin/sh\ntouch {code.place.folder}/hooked\n", 0o755)
    run(code, "--push")
    run(code, "--undo")
    assert not (code.place.folder / "hooked").exists()


def test_bytecode_of_what_is_gone_or_changed_does_not_serve(code):
    fresh = code.folder / PACKAGE / "fresh"
    python = [sys.executable, "-m", "compileall", "-q", "app"]
    subprocess.run(python, cwd=code.folder, check=True, timeout=30)
    assert list(fresh.glob("__pycache__/*.pyc"))
    core = next((code.folder / PACKAGE / "__pycache__").glob("core.*.pyc"))
    orphan = core.with_name(core.name.replace("core", "orphan"))
    shutil.copy(core, orphan)
    run(code)
    assert not fresh.exists(), "as a namespace package it could still be imported"
    assert not core.exists()
    assert orphan.exists(), "bytecode of what the switch did not touch is left alone"


def test_ignored_files_and_the_environment_are_left_alone(code):
    code.reset(dirty=True)
    kept = (".env", ".env.local", "service.log")
    before = {name: (code.folder / name).stat() for name in kept}
    run(code)
    assert {name: (code.folder / name).stat() for name in kept} == before
    every = ["git", "-c", "safe.directory=*", "cat-file", "--batch-all-objects", "--batch"]
    objects = subprocess.run(every, cwd=code.folder, capture_output=True, check=True, timeout=30).stdout
    assert b"hotfix" in objects
    assert b"swordfish" not in objects


def test_what_is_rewritten_keeps_its_permissions_and_new_files_are_as_the_folder_is(code):
    code.folder.chmod(0o750)
    core, old = code.folder / PACKAGE / "core.py", code.folder / PACKAGE / "old.py"
    core.chmod(0o600)
    run(code)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (core, old, code.folder / "run.sh")}
    assert modes == {"core.py": 0o600, "old.py": 0o640, "run.sh": 0o640}
    assert stat.S_IMODE(os.lstat(code.folder).st_mode) == 0o750


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_root_works_as_the_owner_of_the_checkout(code):
    code.place.folder.chmod(0o755)
    for path in (code.folder, *code.folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    run(code)
    foreign = [
        path
        for path in code.folder.rglob("*")
        if path.lstat().st_uid != 65534 and "__pycache__" not in str(path)
    ]
    assert foreign == []
    code.is_good()
    run(code, "--undo")
    assert code.head() == code.bad


def test_what_was_changed_after_the_switch_is_kept_by_the_undo(code):
    run(code)
    write(code.folder, "VERSION", "by hand\n")
    write(code.folder, "new.txt", "by hand\n")
    out = run(code, "--undo")
    assert "is kept on refs/rollback/" in out
    ref = next(
        line
        for line in git(code.folder, "for-each-ref", "--format=%(refname)").splitlines()
        if "undone" in line
    )
    assert git(code.folder, "show", f"{ref}:new.txt") == "by hand"
    assert (code.folder / "VERSION").read_text() == "2.4.0\n"
    assert not (code.folder / "new.txt").exists()


def test_a_lock_of_a_git_that_is_gone_is_moved_aside(code):
    write(code.folder, ".git/index.lock", "")
    write(code.folder, ".git/HEAD.lock", "")
    assert "left by a git that is gone" in run(code)
    code.is_good()
    assert len(list((code.folder / ".git").glob("*.lock.failed.*"))) == 2


def test_a_process_that_was_not_restarted_needs_the_restart_only(code):
    git(code.folder, "checkout", "--quiet", "v2.3.1")
    run(code)
    assert code.branch() == "", "no branch is made where nothing is to be switched"
    names = [line["name"] for line in code.place.journals()[-1] if line["event"] == "done"]
    assert names == ["restart", "prove"]


def test_what_python_has_compiled_of_other_code_goes_though_the_checkout_is_right(code):
    virtualenv = code.place.folder / "venv"
    (virtualenv / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(sys.executable, virtualenv / "bin" / "python")
    code.place.write_target(code={"checkout": str(code.folder)}, virtualenv={"path": str(virtualenv)})
    git(code.folder, "checkout", "--quiet", "v2.3.1")
    run(code)
    core = code.folder / PACKAGE / "core.py"
    other = core.with_name("other.py")
    other.write_text("LIMIT = 70\n")
    compiled = Path(importlib.util.cache_from_source(str(core)))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(other), str(compiled), doraise=True, invalidation_mode=mode)
    other.unlink()
    code.place.restart()
    out = run(code)
    assert f"{PACKAGE}/core.py: that goes too" in out
    assert "--undo" not in out
    assert "restarted the service and changed nothing else" in run(code, "--undo", status=5)
    names = [line["name"] for line in code.place.journals()[-1] if line["event"] == "done"]
    assert names == ["forget compiled", "restart", "prove"]
    assert not compiled.exists()
    assert "already there" in run(code)


def test_a_process_that_serves_another_checkout_is_noticed(code):
    other = code.place.folder / "elsewhere"
    shutil.copytree(code.folder, other, symlinks=True)
    try:
        code.place.env.write_text(
            code.place.env.read_text().replace(f"CHECKOUT={code.folder}", f"CHECKOUT={other}")
        )
        code.place.restart()
        before = code.state()
        assert f"the process serves {code.bad[:7]}, not {code.good[:7]}" in run(code, status=1)
        assert code.state() == before
    finally:
        shutil.rmtree(other)


class TestSubmodule:
    @pytest.fixture
    def library(self, code):
        """2.3.1 with the first version of a submodule, 2.4.0 with the second, both checked out here."""
        remote = code.place.folder / "library.git"
        work = code.place.folder / "library"
        git(code.place.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
        git(code.place.folder, "clone", "--quiet", str(remote), str(work))
        commits = []
        for text in ("one\n", "two\n"):
            write(work, "lib.txt", text)
            git(work, "add", "--all")
            git(work, "commit", "--quiet", "-m", text)
            commits.append(git(work, "rev-parse", "HEAD"))
        git(work, "push", "--quiet", "origin", "HEAD:main")
        shutil.rmtree(work)
        git(code.folder, "submodule", "--quiet", "add", str(remote), "lib")
        git(code.folder / "lib", "checkout", "--quiet", commits[0])
        git(code.folder, "commit", "--quiet", "--all", "-m", "lib one")
        code.commits["2.3.1"] = code.good = git(code.folder, "rev-parse", "HEAD")
        git(code.folder / "lib", "checkout", "--quiet", "main")
        git(code.folder, "commit", "--quiet", "--all", "-m", "lib two")
        code.place.restart()
        return code.folder / "lib"

    def test_follows_and_comes_back(self, code, library):
        before = code.state()
        run(code, "--to", code.good)
        assert (library / "lib.txt").read_text() == "one\n"
        assert code.status() == ""
        run(code, "--undo")
        assert (library / "lib.txt").read_text() == "two\n"
        assert git(library, "symbolic-ref", "HEAD") == "refs/heads/main"
        assert code.state()[1:] == before[1:]

    def test_whose_commit_is_not_here_is_fetched(self, code, library):
        shutil.rmtree(library)
        shutil.rmtree(code.folder / ".git/modules")
        git(code.folder, "submodule", "--quiet", "update", "--init", "--depth", "1")
        run(code, "--to", code.good)
        assert (library / "lib.txt").read_text() == "one\n"

    def test_whose_commit_cannot_be_had_is_refused(self, code, library):
        shutil.rmtree(library)
        shutil.rmtree(code.folder / ".git/modules")
        remote = code.place.folder / "library.git"
        git(code.folder, "config", "submodule.lib.url", f"file://{remote}")
        git(code.folder, "submodule", "--quiet", "update", "--init", "--depth", "1")
        shutil.rmtree(remote)
        before = code.place.inventory()
        assert "its commit of the submodule lib is not here" in run(code, "--to", code.good, status=5)
        assert code.place.inventory() == before

    @pytest.mark.parametrize(
        ("to", "says"),
        [
            (None, "does not have the submodule lib, which is checked out"),
            ("good", "has changes of its own, which would be lost"),
        ],
    )
    def test_that_would_be_lost_is_refused(self, code, library, to, says):
        if to:
            write(library, "lib.txt", "by hand\n")
        before = code.place.inventory()
        assert says in run(code, "--to", code.good if to else "2.3.0", status=5)
        assert code.place.inventory() == before


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed here")
def test_files_in_git_lfs_are_fetched_and_checked_out(code, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}

    def lfs(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", *words]
        subprocess.run(command, cwd=code.folder, env=environment, check=True, timeout=30, capture_output=True)

    lfs("lfs", "install", "--skip-repo")
    write(code.folder, ".gitattributes", "*.wav filter=lfs diff=lfs merge=lfs -text\n")
    for text in ("first recording\n", "second recording\n"):
        write(code.folder, "hello.wav", text)
        lfs("add", "--all")
        lfs("commit", "--quiet", "-m", text)
        lfs("lfs", "push", "origin", "HEAD")
    shutil.rmtree(code.folder / ".git/lfs/objects")
    code.place.restart()
    run(code, "--to", git(code.folder, "rev-parse", "HEAD~1"))
    assert (code.folder / "hello.wav").read_text() == "first recording\n"
    run(code, "--undo")
    assert (code.folder / "hello.wav").read_text() == "second recording\n"
