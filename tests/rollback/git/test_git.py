"""The action `git` on a real checkout with a real remote: it goes to the last good commit, and comes back exactly."""

import pytest

from tests.rollback.git.repository import git

pytestmark = pytest.mark.drill


def only(found):
    assert len(found) == 1, found
    return found[0]


@pytest.mark.covers("git", "apply")
def test_goes_to_the_last_good_commit_and_proves_it(code):
    status, out = code.place.run("git")
    assert status == 0, out
    code.is_good()
    said = " ".join(out.split())
    assert f"tiny · Level 2 · code of 2.3.1 ({code.good[:7]})" in said
    assert f"serves 2.3.1 {code.good[:7]}" in said
    assert "2.3.1 (" in said
    assert "requires other packages (fastapi)" in said
    assert "fetched" not in said


@pytest.mark.covers("git", "undo")
@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
@pytest.mark.parametrize("detached", [False, True], ids=["branch", "detached"])
def test_undo_brings_everything_back(fresh, dirty, detached):
    fresh.reset()
    if detached:
        git(fresh.folder, "checkout", "--quiet", "--detach")
    if dirty:
        fresh.make_dirty()
    before = fresh.state()
    status, out = fresh.place.run("git")
    assert status == 0, out
    fresh.is_good()
    ref = only(git(fresh.folder, "for-each-ref", "--format=%(refname)", "refs/rollback").splitlines())
    status, out = fresh.place.run("git", "--undo")
    assert status == 0, out
    assert fresh.state() == before
    assert git(fresh.folder, "for-each-ref", "--format=%(refname)", "refs/rollback") == ref, "evidence stays"
    kept = git(fresh.folder, "show", "--stat", "--format=%an", ref)
    assert ".env" not in kept
    assert not list(fresh.folder.glob(".git/rollback-*"))


@pytest.mark.covers("git", "second")
def test_a_second_run_writes_nothing_at_all(code):
    code.reset(dirty=True)
    assert code.place.run("git")[0] == 0
    before = code.place.inventory()
    status, out = code.place.run("git")
    assert (status, code.place.inventory()) == (0, before)
    assert "already there" in out


@pytest.mark.covers("git", "dry-run")
def test_a_dry_run_shows_each_command_and_writes_nothing(code):
    code.reset(dirty=True, push=True, deploy="./deploy.sh")
    before = code.place.inventory()
    status, out = code.place.run("git", "--dry-run")
    assert (status, code.place.inventory()) == (0, before), out
    for command in (
        "refs/rollback/",
        "git branch rollback-",
        "--force-with-lease",
        "./deploy.sh",
        "quickctl restart",
    ):
        assert command in out
    assert "kept on a ref" in " ".join(out.split())
