"""What the person is told before and while something changes: the plan, the expected time, the budget."""

import json

import pytest

from rollback import budget
from rollback.budget import Budget
from rollback.rehearsal import rehearsed
from target.host import Host
from target.wait import Seen, eventually


def words(text):
    return " ".join(text.split())


def test_a_dry_run_says_so_where_nothing_was_rehearsed(quick):
    assert "not rehearsed yet" in words(quick.run("environment", "--dry-run")[1])


def test_a_dry_run_tells_the_median_of_earlier_runs(quick):
    journals = quick.state / "journals"
    for seconds in (3.0, 4.0, 90.0):
        assert quick.run("environment")[0] == 0
        newest = max(journals.iterdir())
        *lines, end = newest.read_text().splitlines()
        newest.write_text("\n".join([*lines, json.dumps({**json.loads(end), "seconds": seconds})]) + "\n")
        assert quick.run("environment", "--undo")[0] == 0
    before = quick.inventory()
    code, out = quick.run("environment", "--dry-run")
    assert (code, quick.inventory()) == (0, before)
    assert "4 s, from 3 earlier runs" in words(out)
    told = json.loads(quick.run("environment", "--dry-run", "--json")[1])["hosts"][0]
    assert (told["expected_s"], told["rehearsals"]) == (4.0, 3)
    assert [step["name"] for step in told["plan"]] == [
        "1 set aside .env",
        "2 switch .env",
        "3 restart",
        "4 prove",
    ]
    assert all(step["does"] and step["expected_s"] >= 0 for step in told["plan"])


def test_a_run_that_was_resumed_or_undone_tells_nothing_of_the_time(quick, kill_after_line):
    quick.run_and_kill(kill_after_line(4), "environment")
    assert quick.run("environment")[0] == 0
    folder = f"{quick.state}/journals"
    assert rehearsed(Host("local://"), folder, "environment", back=False).runs == 0
    assert quick.run("environment", "--undo")[0] == 0
    assert rehearsed(Host("local://"), folder, "environment", back=True).runs == 1


def test_what_will_change_is_shown_before_it_changes(quick, monkeypatch):
    from rollback.onefile import SetAside

    seen = []
    monkeypatch.setattr(SetAside, "apply", lambda *_: seen.append(quick.env.read_text()) or 1 / 0)
    code, out = quick.run("environment")
    assert code == 3
    assert seen
    head, plan = out.splitlines()[0], words(out.partition("will do")[2])
    assert head.startswith("tiny · ")
    assert f"1 set aside .env cp -p {quick.env}" in plan
    assert "3 restart quickctl restart voice" in plan


def test_an_undo_shows_its_plan_too(quick):
    quick.run("environment")
    out = quick.run("environment", "--undo")[1]
    assert "2 switch .env, back put" in words(out.partition("will do")[2])


class TestBudget:
    @pytest.fixture
    def told(self):
        return []

    def watch(self, monkeypatch, told, seconds, until, level=1):
        monkeypatch.setitem(budget.BUDGET_S, level, seconds)
        watched = Budget(level)
        with watched.watched(lambda text, tone: told.append(text)):
            eventually(lambda: Seen(met=until(), seen=""), deadline_s=10, interval_s=0.005)
        return told

    def test_half_and_whole_are_told_once_with_the_next_level(self, monkeypatch, told):
        self.watch(monkeypatch, told, 0.05, lambda: len(told) == 2)
        assert len(told) == 2
        assert told[0].startswith("half of the time is used")
        assert told[1].endswith("the next level would be Level 2: git or files")

    @pytest.mark.parametrize(
        ("level", "then"), [(2, "containers or virtualenv"), (3, "or escalate"), (0, "or escalate")]
    )
    def test_every_level_has_a_next(self, monkeypatch, told, level, then):
        self.watch(monkeypatch, told, 0.02, lambda: len(told) == 2, level)
        assert told[-1].endswith(then)

    def test_nothing_is_told_in_time(self, monkeypatch, told):
        assert self.watch(monkeypatch, told, 60.0, lambda: True) == []

    def test_a_run_past_its_budget_is_told_and_goes_on(self, quick, monkeypatch):
        monkeypatch.setitem(budget.BUDGET_S, 1, 0.05)
        code, out = quick.run("environment")
        assert code == 0, out
        assert out.count("past the budget") == 1
        assert "\x1b" not in out
        assert quick.serves() == "good"


def test_every_error_is_json_too(quick, tmp_path):
    code, out = quick.run("environment", "--resume", "--json")
    (host,) = json.loads(out)["hosts"]
    assert (code, host["outcome"]) == (5, "refused")
    (tmp_path / "target.yaml").write_text("name: x\nnonsense: 1\n")
    quick.target = tmp_path / "target.yaml"
    for command in (["status"], ["record"], ["snapshot"], ["environment"]):
        code, out = quick.run(*command, "--json")
        told = json.loads(out[out.index("{") :])
        assert (code, told["exit_code"]) == (4, 4)
        assert "nonsense" in told["error"]
    quick.target = quick.folder / "target.yaml"
