"""Whatever fails in the middle of a rollback of the code: the old state or the new one, and one clear error."""

import pytest

from rollback.actions.git import scripts
from rollback.actions.git.steps import Deploy, Push, Switch
from rollback.errors import StepFailed
from target.errors import HostError
from tests.rollback.faults import FAULTS, strike_everywhere
from tests.rollback.git.repository import git
from tests.rollback.quick import QuickHost

pytestmark = pytest.mark.drill


class Whole:
    """A rollback with all its steps, the work in the checkout kept: the branch is pushed, and a command deploys."""

    def __init__(self, code, deployed):
        self.code = code
        self.deployed = deployed
        self.before = None

    def reset(self):
        self.code.reset(dirty=True, push=True, deploy=f"git rev-parse HEAD >{self.deployed}")
        self.deployed.unlink(missing_ok=True)
        self.before = self.code.state()

    def branch(self):
        return git(self.code.remote, "for-each-ref", "--format=%(refname:short)", "refs/heads/rollback-*")

    def pushed(self):
        return git(self.code.remote, "for-each-ref", "--format=%(objectname)", "refs/heads/rollback-*")

    def is_new(self):
        self.code.is_good()
        assert self.pushed() == self.code.good
        assert self.deployed.read_text().strip() == self.code.good

    def is_old(self):
        assert self.code.state() == self.before
        assert self.pushed() == ""
        assert not self.deployed.exists() or self.deployed.read_text().strip() == self.code.bad


@pytest.fixture
def whole(fresh, tmp_path):
    return Whole(fresh, tmp_path / "deployed")


@pytest.mark.parametrize(
    ("kind", "for_good", "every"),
    [("connection lost", True, 5), ("permission denied", False, 6), ("answer lost", False, 7)],
)
def test_on_the_way_there(whole, kind, for_good, every):
    strike_everywhere(
        whole.code.place,
        ["git"],
        kind,
        for_good=for_good,
        reset=whole.reset,
        is_new=whole.is_new,
        is_old=whole.is_old,
        every=every,
    )


def test_on_the_way_back(whole):
    def reset():
        whole.reset()
        status, out = whole.code.place.run("git")
        assert status == 0, out

    strike_everywhere(
        whole.code.place,
        ["git", "--undo"],
        "connection lost",
        for_good=False,
        reset=reset,
        is_new=whole.is_old,
        is_old=whole.is_new,
        every=7,
    )


def losing(script, at):
    """The shell of a host that is lost when a script is to run there for the `at`-th time."""
    shell, calls = QuickHost.shell, []

    def lost(host, text, *words, **more):
        calls.extend([text] * (script in (text, *words)))
        if script in (text, *words) and len(calls) == at:
            raise HostError(FAULTS["connection lost"])
        return shell(host, text, *words, **more)

    return lost


@pytest.mark.parametrize(("script", "at"), [(scripts.PUSH, 2), (scripts.DEPLOY, 1)], ids=["push", "deploy"])
def test_a_host_that_is_lost_is_not_taken_for_what_was_to_be_reached_from_it(whole, monkeypatch, script, at):
    whole.reset()
    with monkeypatch.context() as patch:
        patch.setattr(QuickHost, "shell", losing(script, at))
        status, out = whole.code.place.run("git")
    said = " ".join(out.split())
    assert status == 1, out
    assert f"min: {FAULTS['connection lost']} the state before is back" in said
    assert "rejected" not in said
    assert "did not end" not in said
    whole.is_old()


@pytest.mark.parametrize("step", [Switch, Push], ids=["before the push", "after the push"])
def test_the_remote_is_gone_in_the_middle(whole, monkeypatch, step):
    """Gone once it had said that it takes the branch: all is undone, and what became of the branch is told."""
    verify, away = step.verify, whole.code.remote.with_suffix(".away")

    def verify_and_lose(self):
        said = verify(self)
        whole.code.remote.rename(away)
        return said

    whole.reset()
    with monkeypatch.context() as patch:
        patch.setattr(step, "verify", verify_and_lose)
        if step is Push:
            patch.setattr(Deploy, "verify", refuse)
        status, out = whole.code.place.run("git")
    away.rename(whole.code.remote)
    said = " ".join(out.split())
    assert status == 1, out
    assert "does not appear to be a git repository" in said
    if step is Push:
        assert "stays on origin" in said
        assert whole.pushed() == whole.code.good
        git(whole.code.remote, "branch", "-D", whole.branch())
    else:
        assert "origin rejected the branch" in said
        assert "leave the push out" in said
    whole.is_old()
    kept = git(whole.code.folder, "for-each-ref", "--format=%(refname)", "refs/rollback/*/worktree")
    assert kept, "evidence stays"
    assert whole.code.place.journals()[-1][-1]["event"] == "end"


@pytest.mark.parametrize("script", [scripts.UNPUSH, scripts.DEPLOY], ids=["push", "deploy"])
def test_what_a_lost_connection_kept_from_being_undone_is_undone_later(whole, monkeypatch, script):
    whole.reset()
    assert whole.code.place.run("git")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(QuickHost, "shell", losing(script, at=1))
        status, out = whole.code.place.run("git", "--undo")
    assert status == 3, out
    status, out = whole.code.place.run("git", "--resume")
    assert status == 0, out
    whole.is_old()
    assert whole.deployed.read_text().strip() == whole.code.bad


def refuse(step):
    raise StepFailed(f"{step.name} does not please")
