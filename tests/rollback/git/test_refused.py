"""What a checkout can be like that a rollback must not touch: refused in one clear line, with nothing changed."""

import json
import os
import shutil
import subprocess

import pytest

from tests.rollback.git.repository import git, write

pytestmark = pytest.mark.drill

PACKAGE = "app/services/voice_v2"


def refused(code, *arguments, says, status=5, **target):
    """The command is refused with nothing changed; what it said, on one line."""
    if target:
        code.place.write_target(code={"checkout": str(code.folder), **target})
    before = code.place.inventory()
    seen, out = code.place.run("git", *arguments)
    said = " ".join(out.split())
    assert (seen, code.place.inventory()) == (status, before), out
    assert says in said
    assert "Traceback" not in out
    assert "swordfish" not in out
    if status == 5:
        assert "nothing was changed" in said
    return said


def no_repository(code):
    shutil.rmtree(code.folder / ".git")


def merging(code):
    write(code.folder, ".git/MERGE_HEAD", code.good + "\n")


def rebasing(code):
    (code.folder / ".git/rebase-merge").mkdir()


def sparse(code):
    git(code.folder, "config", "core.sparseCheckout", "true")


def foreign_file(code):
    os.chown(code.folder / "VERSION", 65534, 65534)


def nested(code):
    git(code.folder, "init", "--quiet", "tool")
    write(code.folder, "tool/file", "x\n")


def ignored_in_the_way(code):
    write(code.folder, ".git/info/exclude", "old.py\n")
    write(code.folder, f"{PACKAGE}/old.py", "LOCAL = True\n")


def environment_tracked(code):
    git(code.folder, "add", "--force", ".env")


def no_commits(code):
    git(code.folder, "update-ref", "-d", "refs/heads/main")


@pytest.mark.covers("git", "refused")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_repository, "is not a git checkout (it has no .git)"),
        (merging, "is in the middle of a merge: end it first"),
        (rebasing, "is in the middle of a rebase: end it first"),
        (sparse, "is a sparse checkout"),
        pytest.param(
            foreign_file,
            "and VERSION in it to nobody: a switch would change that owner",
            marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away"),
        ),
        (nested, "tool/ in"),
        (ignored_in_the_way, f"{PACKAGE}/old.py in"),
        (environment_tracked, ".env in"),
        (no_commits, "has no commit yet"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_checkout_that_cannot_be_switched(code, spoil, says):
    spoil(code)
    refused(code, says=says)


def test_a_worktree_of_another_repository(code):
    folder = code.place.folder / "other"
    git(code.folder, "worktree", "add", "--quiet", "--detach", str(folder))
    try:
        refused(code, says="is a worktree or a submodule of another repository", checkout=str(folder))
    finally:
        shutil.rmtree(folder)


def test_a_bare_repository(code):
    refused(code, says="is a bare repository", checkout=str(code.remote))


def test_a_folder_that_is_not_there(code):
    refused(code, says="cannot enter the folder", checkout=str(code.folder / "absent"), status=4)


def test_no_code_in_the_target(code):
    target = json.loads(code.place.target.read_text())
    del target["code"]
    code.place.target.write_text(json.dumps(target))
    refused(code, says="no `code`", status=4)


def test_git_that_is_at_work_there(code):
    with subprocess.Popen(
        ["git", "hash-object", "--stdin"], cwd=code.folder, stdin=subprocess.PIPE
    ) as running:
        write(code.folder, ".git/index.lock", "")
        said = refused(code, says="git is at work in")
        assert f"process {running.pid}" in said


class TestDestination:
    def test_without_a_record(self, code):
        code.reset(recorded=False)
        refused(code, says="no healthy record")

    def test_a_record_that_was_marked_bad(self, code):
        records = code.record("2.4.0")
        records.mark_bad("2.4.0", "cuts sentences off")
        git(code.folder, "checkout", "--quiet", "v2.3.0")
        for name in ("2.4.0", "v2.4.0", code.bad, code.bad[:9]):
            refused(code, "--to", name, says="cuts sentences off")

    @pytest.mark.parametrize("name", ["v9.9.9", "0123456789012345678901234567890123456789"])
    def test_what_no_repository_has(self, code, name):
        refused(code, "--to", name, says="it is not here in")

    def test_what_is_no_name(self, code):
        refused(code, "--to", "HEAD^{/x}", says="is no record, commit or tag")

    def test_a_record_without_a_commit(self, code):
        code.record("2.4.0", name="newest", revision=None)
        refused(code, says="the record newest names no commit")

    def test_a_commit_that_is_not_here_and_no_remote(self, code):
        without_history(code)
        git(code.folder, "remote", "remove", "origin")
        refused(code, says="there is no remote origin to fetch it from")

    def test_a_commit_that_is_not_here_and_a_remote_that_does_not_answer(self, code):
        without_history(code)
        git(code.folder, "remote", "set-url", "origin", f"file://someone:swordfish-url@{code.remote}.gone")
        refused(code, says="origin does not give it")

    def test_a_file_of_it_is_missing_and_cannot_be_had(self, code):
        forget_blob(code)
        git(code.folder, "remote", "remove", "origin")
        refused(code, says="objects of it are missing")

    def test_its_files_are_in_git_lfs_which_is_not_set_up(self, code):
        write(code.folder, ".gitattributes", "*.wav filter=lfs\n")
        git(code.folder, "add", ".gitattributes")
        git(code.folder, "commit", "--quiet", "-m", "lfs")
        git(code.folder, "reset", "--quiet", "--hard", "HEAD@{1}")
        refused(code, "--to", git(code.folder, "rev-parse", "HEAD@{1}"), says="has files in git-lfs")

    def test_a_push_that_the_remote_would_not_take(self, code):
        shutil.rmtree(code.remote)
        refused(code, "--push", says="origin would not take the branch")

    def test_the_code_is_not_what_is_broken(self, code):
        assert code.place.run("git")[0] == 0
        code.place.env.write_text(code.place.env.read_text().replace("MODE=ok", "MODE=sick"))
        code.place.restart()
        refused(code, says="The code is not what is broken")


def without_history(code):
    """As a checkout that was made with `--depth 1`."""
    origin = git(code.folder, "remote", "get-url", "origin")
    shutil.rmtree(code.folder)
    git(code.place.folder, "clone", "--quiet", "--depth", "1", f"file://{origin}", str(code.folder))
    write(code.folder, ".env", code.place.env.read_text(), 0o600)
    code.place.restart()


def forget_blob(code):
    blob = git(code.folder, "rev-parse", f"{code.good}:{PACKAGE}/core.py")
    (code.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    return blob


def test_an_unfinished_run_is_not_turned_elsewhere(code, kill_after_line):
    code.place.run_and_kill(kill_after_line(3), "git")
    assert "an unfinished run goes to 2.3.1" in " ".join(code.place.run("git", "--to", "2.3.0")[1].split())


def test_who_moved_the_head_meanwhile_is_not_overruled(code, kill_after_line):
    code.place.run_and_kill(kill_after_line(3), "git")
    git(code.folder, "checkout", "--quiet", "-b", "mine")
    before = code.place.inventory()
    status, out = code.place.run("git")
    assert (status, code.place.inventory()) == (5, before)
    assert "was moved by somebody since that run was cut short, to mine" in " ".join(out.split())


def test_a_branch_that_was_moved_since_is_not_gone_back_to(code):
    assert code.place.run("git")[0] == 0
    git(code.folder, "update-ref", "refs/heads/main", code.commits["2.3.0"])
    before = code.place.inventory()
    status, out = code.place.run("git", "--undo")
    assert (status, code.place.inventory()) == (5, before)
    assert "main in" in out
    assert "was moved since" in " ".join(out.split())
