"""The action `set`: several actions as one; with `environment`, and a stand-in for what brings the code back."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from rollback import onefile
from rollback.action import Action, Survey
from rollback.catalogue import OFFERS, Offer
from rollback.errors import Refused, StepFailed
from rollback.onefile import FilePlan, Files, SetAside
from rollback.proof import Prove
from rollback.restart import Restart
from rollback.site import site_of
from rollback.step import Finding
from target import capture, load
from target.record import Record
from target.redact import Redactor
from tests.rollback.faults import strike_everywhere
from tests.rollback.place import BAD, GOOD
from tests.rollback.quick import QuickService

NEVER = GOOD.replace("MODE=ok", "MODE=exit")


class Put(onefile.Switch):
    @property
    def making(self):
        return f"cp {self.source} {self.plan.beside}"

    def make(self):
        self.site.host.copy_beside(self.source, self.plan.beside)


class CodePlan(FilePlan, frozen=True, kw_only=True):
    record: str | None


class CodeAction(Action[CodePlan]):
    """Puts `release.good` in the place of `release`, the one file of the code."""

    name = "files"
    level = 2
    plan_type = CodePlan

    def __init__(self, site, record):
        self.site = site
        self.record = record
        self.file = f"{site.target.code.checkout}/voice/release"

    def survey(self, stamp, last):
        host = self.site.host
        if host.facts(f"{self.file}.good") is None:
            raise Refused(f"{self.file}.good is not there; nothing was changed")
        plan = CodePlan(
            was_ready=True,
            file=self.file,
            kept=f"{self.site.target.code.checkout}/release.failed.{stamp}",
            beside=f"{self.site.target.code.checkout}/release.next.{stamp}",
            undone=f"{self.site.target.code.checkout}/release.undone.{stamp}",
            size=100,
            changes="the release",
            record=self.record.name if self.record else None,
        )
        return Survey(goal="code", message="code", plan=plan, findings=(Finding("code is there"),))

    def seal(self, plan):
        keyed, read = self.site.records.keyed_hash, self.site.host.read
        return msgspec.structs.replace(plan, old=keyed(read(self.file)), new=keyed(read(f"{self.file}.good")))

    def changes(self, plan):
        return SetAside(self.site, plan), Put(self.site, plan, f"{self.file}.good")

    def proofs(self, plan):
        return (
            Prove(
                self.site,
                lambda: self.changed(plan),
                lambda: "",
                part="code",
                record=plan.record,
                expected_before=None,
                lenient=False,
            ),
        )

    def changed(self, plan):
        return Files(self.site, plan).changed()

    def learn(self, plan):
        pass

    def check_resume(self, plan, *, back):
        if not back:
            Files(self.site, plan).check_resume(self.name)

    def check_undo(self, plan):
        return Files(self.site, plan).check_undo("put it there")

    def goal_of(self, plan):
        return "code"

    def state(self, plan):
        return Files(self.site, plan).describe("the good release")


class CodeOffer(Offer, frozen=True):
    def build(self, site, options, record=None):
        return CodeAction(site, record)


@pytest.fixture
def pair(quick, monkeypatch):
    """Code and environment are both broken; the record `good` knows what both were."""
    monkeypatch.setitem(OFFERS, "files", CodeOffer("files", 2, "code"))
    app = quick.folder / "app"
    package = app / "voice"

    def reset(previous=GOOD):
        shutil.rmtree(app, ignore_errors=True)
        quick.reset(env=GOOD, previous=GOOD)
        package.mkdir(parents=True)
        (package / "release").write_text("good\n")
        (package / "release.good").write_text("good\n")
        quick.write_target(code={"checkout": str(app), "package": "voice"})
        target = load.load(quick.target, environ={})
        site = site_of(target, "local://", Redactor())
        environment = capture.environment(target, site.host, site.records)
        good = Record(
            name="good",
            version="2.3.1",
            revision="a1b2c3d4e5f6a7b8c9d0",
            taken_at="2026-11-20T09:12:00Z",
            taken_by="tests",
            state="healthy",
            environment=environment,
            code=capture.code(target, site.host),
        )
        site.records.save(good)
        (package / "release").write_text("bad\n")
        quick.env.write_text(BAD.replace("2.3.1", "2.4.0"))
        quick.previous.write_text(previous)
        quick.restart()

    reset()
    quick.again = reset
    quick.release = package / "release"
    yield quick
    shutil.rmtree(app)


def is_new(place):
    assert place.serves() == "good"
    assert (place.env.read_text(), place.release.read_text()) == (GOOD, "good\n")


def is_old(place):
    place.wait_for(lambda: place.serves() == "bad")
    assert (place.env.read_text(), place.release.read_text()) == (BAD.replace("2.3.1", "2.4.0"), "bad\n")


def words(text):
    return " ".join(text.split())


@pytest.mark.covers("set", "apply")
def test_all_that_differs_with_one_lock_one_journal_one_restart(pair):
    code, out = pair.run("set")
    assert code == 0, out
    is_new(pair)
    (journal,) = pair.journals()
    assert [line["name"] for line in journal if line["event"] == "done"] == [
        "set aside release",
        "switch release",
        "set aside .env",
        "switch .env",
        "restart",
        "prove files",
        "prove environment",
        "look for a mixture",
    ]
    assert list(journal[0]["plan"]["parts"]) == ["files", "environment"]
    assert (journal[0]["level"], journal[0]["budget_s"]) == (2, 1800.0)
    assert out.startswith("tiny · Level 2 · files, environment of 2.3.1 a1b2c3d · budget 30 min")
    assert "none: version, code, environment are those of good" in words(out)
    assert "swordfish" not in out + json.dumps(journal)


@pytest.mark.covers("set", "dry-run")
def test_a_dry_run_changes_nothing(pair):
    before = pair.inventory()
    code, out = pair.run("set", "--dry-run")
    assert (code, pair.inventory()) == (0, before)
    assert "2 switch release" in out
    assert "4 switch .env" in out
    assert f"python -m rollback --target {pair.target} set" in out


@pytest.mark.covers("set", "second")
def test_a_second_run_writes_nothing(pair):
    assert pair.run("set")[0] == 0
    before = pair.inventory()
    code, out = pair.run("set")
    assert (code, pair.inventory()) == (0, before)
    assert "everything is as recorded for 2.3.1 a1b2c3d" in words(out)


@pytest.mark.covers("set", "undo")
def test_undo_brings_everything_back(pair):
    kept = ("app/voice/release", ".env")
    before = {name: pair.inventory()[name] for name in kept}
    assert pair.run("set")[0] == 0
    code, out = pair.run("set", "--undo")
    assert code == 0, out
    is_old(pair)
    after = pair.inventory()
    for name in kept:
        assert [after[name][i] for i in (0, 1, 2, 3, 5)] == [before[name][i] for i in (0, 1, 2, 3, 5)]


@pytest.mark.drill
@pytest.mark.covers("set", "kill")
def test_killed_after_every_line(pair, survives_kills):
    survives_kills(pair, ["set"], reset=pair.again, is_new=lambda: is_new(pair), is_old=lambda: is_old(pair))


@pytest.mark.drill
def test_the_connection_is_lost_at_every_call_to_the_host(pair):
    strike_everywhere(
        pair,
        ["set"],
        "connection lost",
        for_good=True,
        reset=pair.again,
        is_new=lambda: is_new(pair),
        is_old=lambda: is_old(pair),
        every=2,
    )


@pytest.mark.covers("set", "refused")
class TestRefused:
    def refused(self, place, *arguments, code=5):
        before = place.inventory()
        seen, out = place.run("set", *arguments)
        assert (seen, place.inventory()) == (code, before), out
        return words(out)

    def test_one_part_that_cannot_be_had_refuses_all(self, pair):
        pair.again(previous=GOOD + "EXTRA=1\n")
        assert "is the environment of good" in self.refused(pair)

    def test_a_record_marked_bad(self, pair):
        assert pair.run("record", "--mark-bad", "wrong voice", "--name", "good")[0] == 0
        assert "marked bad" in self.refused(pair, "--to", "good")
        assert "no healthy record" in self.refused(pair)

    def test_an_unknown_part(self, pair):
        assert "no part 'nonsense' of a set; there is: " in self.refused(pair, "nonsense", code=4)

    def test_two_that_bring_the_same(self, pair, monkeypatch):
        monkeypatch.setitem(OFFERS, "git", CodeOffer("git", 2, "code"))
        assert "name one of them" in self.refused(pair, "git", "files", code=4)

    def test_sick_though_all_is_as_recorded(self, pair):
        pair.release.write_text("good\n")
        pair.env.write_text(GOOD)
        pair.restart()
        QuickService(pair).stop()
        assert "going to it mends nothing" in self.refused(pair)

    def test_an_unfinished_run_is_not_turned(self, pair, kill_after_line):
        pair.run_and_kill(kill_after_line(4), "set")
        assert "an unfinished run goes to good, not to other" in self.refused(pair, "--to", "other")
        assert "is of files, environment, not of environment" in self.refused(pair, "environment")
        before = pair.inventory()
        code, out = pair.run("environment")
        assert (code, pair.inventory()) == (5, before)
        assert "an unfinished run of set" in words(out)
        assert pair.run("set", "environment", "files", "--to", "good")[0] == 0
        is_new(pair)


def test_named_parts_only_and_the_mixture_is_named(pair):
    code, out = pair.run("set", "files", "--dry-run")
    assert code == 0
    assert "this would leave a mixture" in words(out)
    # The environment decides which version the tiny service serves: without it the proof fails, and all is undone.
    code, out = pair.run("set", "files")
    assert code == 1, out
    is_old(pair)


def test_a_part_that_fails_late_undoes_the_others(pair):
    pair.again(previous=NEVER)
    target = load.load(pair.target, environ={})
    site = site_of(target, "local://", Redactor())
    good = site.records.get("good")
    pair.env.write_text(NEVER)
    never = capture.environment(target, site.host, site.records)
    pair.env.write_text(BAD.replace("2.3.1", "2.4.0"))
    site.records.save(
        msgspec.structs.replace(good, name="never", taken_at="2026-11-21T09:12:00Z", environment=never)
    )
    pair.restart()
    code, out = pair.run("set")
    assert code == 1, out
    is_old(pair)
    assert "FAILED and undone" in out
    assert list((pair.folder / "app").glob("release.failed.*")), "what was tried is kept"


def test_what_cannot_be_undone_says_what_everything_is(pair, monkeypatch):
    pair.again(previous=GOOD)
    with monkeypatch.context() as patch:
        patch.setattr("rollback.actions.set.mixture.NoMixture.apply", lambda *_: fail("a mixture"))
        patch.setattr(Restart, "undo", lambda *_: fail("no supervisor any more"))
        code, out = pair.run("set")
    assert code == 3, out
    assert f"{pair.release}: the file of before" in words(out)
    assert f"{pair.env}: the file of before" in words(out)
    assert pair.run("set", "--resume")[0] == 1
    is_old(pair)


def test_an_older_copy_with_the_environment_of_the_record(pair):
    pair.again(previous=GOOD + "EXTRA=1\n")
    older = Path(f"{pair.env}.previous.20261120T091200Z")
    older.write_text(GOOD)
    code, out = pair.run("set")
    assert code == 0, out
    is_new(pair)


def fail(says):
    raise StepFailed(says)
