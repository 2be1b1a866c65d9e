"""The runbook's checklists: ticked by evidence, disproved by evidence, signed by a person, or open."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from reports.checklist import SCHEMA, parts, schema
from reports.proofs import JOURNAL
from tests.reports.conftest import GOOD, HUMAN, STAMP, criterion, lines

ROOT = Path(__file__).parents[2]
ALL = [word for item in HUMAN for word in ("--answer", f"{item}=yes")]


def entries(folder):
    found = json.loads((folder / "checklist.json").read_text("utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    return {entry["id"]: entry for entry in found["entries"]}


def test_every_proof_that_the_list_names_is_there():
    items = [item for part in parts() for item in part.items]
    assert len({item.id for item in items}) == len(items) == 18
    assert {item.journal for item in items} - {None} == set(JOURNAL)
    assert [item.id for item in items if not (item.journal or item.kind or item.criteria)] == list(HUMAN)


def test_the_schema_in_the_repository_is_the_one_of_the_types():
    assert SCHEMA.read_text("utf-8") == schema()


def test_what_journal_and_verdict_prove_is_ticked_and_the_rest_is_open(runs, walk):
    runs.journal()
    folder = runs.verdict()
    code, out = walk()
    assert code == 6
    found = entries(folder)
    assert {item for item, entry in found.items() if entry["state"] == "open"} == set(HUMAN)
    assert {entry["state"] for item, entry in found.items() if item not in HUMAN} == {"proven"}
    assert found["backup-current-state"]["evidence"] == f".env.failed.{STAMP}"
    assert found["identify-target"]["evidence"] == "the record 2.3.1"
    assert "ready at the 3rd attempt" in found["stop-services"]["evidence"]
    assert "4 of 4 steps" in found["verify-steps"]["evidence"]
    assert "p95 31 ms" in found["run-health-checks"]["evidence"]
    page = (folder / "checklist.md").read_text("utf-8")
    assert "- [x] **Backup current state** before rollback" in page
    assert "- [ ] **Alert stakeholders** about rollback procedure" in page
    assert len(out.splitlines()) <= 25
    assert "--answer alert-stakeholders=yes" in out


def test_answers_without_a_terminal_are_signed_and_finish_it(runs, walk):
    runs.journal()
    folder = runs.verdict()
    code, out = walk(*ALL, "--answer", "notify-stakeholders=yes:told postgresql://ann:hunter2@db/x and #ops")
    assert code == 0
    assert "ALL DONE" in out
    answer = entries(folder)["notify-stakeholders"]["answer"]
    assert (answer["yes"], answer["by"]) == (True, "ann")
    assert answer["at"].endswith("Z")
    assert "hunter2" not in json.dumps(entries(folder)) + (folder / "checklist.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("run-health-checks", "health"),
        ("verify-functionality", "functional"),
        ("check-performance", "performance"),
    ],
)
def test_a_failed_criterion_disproves_its_item_whatever_a_person_says(runs, walk, item, kind):
    runs.journal()
    folder = runs.verdict(*GOOD, criterion("worst", kind, "fail", evidence="3 s\nmore"), exit_code=1)
    code, out = walk(*ALL)
    assert code == 1
    assert entries(folder)[item]["state"] == "not met"
    assert entries(folder)[item]["evidence"] == "worst < 2000ms: 3 s"
    assert "- [ ]" in (folder / "checklist.md").read_text("utf-8")
    assert out.rstrip().endswith("python -m checks triage")
    code, out = walk("--answer", f"{item}=yes")
    assert code == 4
    assert "evidence decides that" in out


@pytest.mark.parametrize("outcome", ["inconclusive", None])
def test_what_was_not_decided_is_open_and_never_ticked(runs, walk, outcome):
    runs.journal()
    judged = [each for each in GOOD if each.kind != "performance"]
    folder = runs.verdict(
        *judged, *([criterion("average_tts_time", "performance", outcome)] if outcome else [])
    )
    code, _ = walk(*ALL)
    assert code == 6
    assert entries(folder)["check-performance"]["state"] == "open"


def test_a_run_that_was_cut_short_proves_nothing(runs, walk):
    runs.journal()
    folder = runs.verdict(*GOOD, exit_code=2)
    assert walk(*ALL)[0] == 6
    assert entries(folder)["run-health-checks"]["state"] == "open"


def test_what_the_target_does_not_offer_is_asked_of_the_person(runs, walk):
    runs.journal()
    away = [{"check": "checks/test_performance.py::test_x", "why": "no `record.latency`"}]
    folder = runs.verdict(*[each for each in GOOD if each.kind != "performance"], not_applicable=away)
    assert walk(*ALL)[0] == 6
    assert entries(folder)["check-performance"]["asks"]
    assert walk("--answer", "check-performance=yes:by the dashboard")[0] == 0


def test_a_verdict_older_than_the_rollback_proves_nothing(runs, walk):
    path = runs.journal()
    runs.verdict(after=-60)
    code, out = walk(*ALL)
    assert code == 6
    found = entries(path.parent)
    assert found["run-health-checks"]["evidence"] == "not judged yet: pytest -m post_rollback"
    assert out.rstrip().endswith("-> pytest -m post_rollback") or out.rstrip().endswith(
        "→ pytest -m post_rollback"
    )


@pytest.mark.parametrize(
    ("told", "item", "says"),
    [
        (
            lines(done=2, fails="it does not start", ending="undone"),
            "execute-commands",
            "it does not start; undone",
        ),
        (
            lines(done=2, fails="it does not start", ending="not undone"),
            "verify-steps",
            "step 3, restart, failed",
        ),
        (lines(undoes="20260101T000000Z-environment"), "execute-commands", "was taken back by"),
    ],
)
def test_a_rollback_that_failed_or_was_taken_back_is_not_met(runs, walk, told, item, says):
    runs.journal(told)
    folder = runs.verdict()
    assert walk(*ALL)[0] == 1
    assert entries(folder)[item]["state"] == "not met"
    assert says in entries(folder)[item]["evidence"]


def test_an_unfinished_rollback_is_open_with_what_to_type(runs, walk):
    path = runs.journal(lines(done=2, ending=None))
    assert walk(*ALL)[0] == 6
    assert entries(path.parent)["execute-commands"]["evidence"].endswith(
        "python -m rollback environment --resume"
    )


def test_the_worst_of_several_hosts_counts(runs, walk):
    runs.journal(name="journal-1.jsonl")
    failed = lines(done=2, fails="it does not start", ending="undone", host="ssh://two")
    path = runs.journal(failed, name="journal-2.jsonl")
    assert walk(*ALL)[0] == 1
    assert entries(path.parent)["execute-commands"]["evidence"].startswith("ssh://two: step 3")


def test_a_second_walk_keeps_the_answers_with_their_signatures(runs, walk):
    path = runs.journal()
    walk("--answer", "alert-stakeholders=yes:told #ops", "--answer", "monitor-logs=no")
    first = entries(path.parent)
    folder = runs.verdict()
    code, _ = walk("--answer", "monitor-logs=yes")
    assert code == 6
    second = entries(folder)
    assert second["alert-stakeholders"]["answer"] == first["alert-stakeholders"]["answer"]
    assert first["monitor-logs"]["state"] == "not met"
    assert second["monitor-logs"]["state"] == "signed"


def test_answers_of_another_rollback_are_not_taken_over(runs, walk):
    runs.journal()
    walk(*ALL)
    later = runs.journal(lines(run=f"{STAMP[:-1]}Z-files", action="files"))
    walk()
    assert all(entry["answer"] is None for entry in entries(later.parent).values())


def test_a_rollback_by_hand_has_no_journal_and_its_items_are_asked(runs, walk):
    folder = runs.verdict()
    assert walk()[0] == 6
    found = entries(folder)
    assert found["execute-commands"]["asks"]
    assert found["run-health-checks"]["state"] == "proven"


def test_another_target_is_not_told_of(runs, walk, tmp_path):
    runs.journal()
    (tmp_path / "target.yaml").write_text("name: staging\n")
    code, out = walk()
    assert code == 4
    assert (
        out
        == "ERROR: no rollback of staging was run from here, and nothing was judged; see: python -m rollback\n"
    )
    (tmp_path / "target.yaml").write_text("name: prod\n")
    assert walk()[0] == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--answer", "alert-stakeholder=yes"], "did you mean alert-stakeholders?"),
        (["--answer", "incident-report=maybe"], "write incident-report=yes or incident-report=no"),
        (["--run", "nowhere"], "no such folder"),
        (["--journal", "nowhere.jsonl"], "cannot be read"),
        (["--target", "nowhere.yaml"], "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_4(runs, walk, arguments, says):
    folder = runs.verdict()
    code, out = walk(*arguments)
    assert code == 4
    assert says in out
    assert len(out.splitlines()) == 1
    assert not (folder / "checklist.json").exists()


def test_a_narrow_plain_terminal_reads_as_well(runs, walk, monkeypatch):
    runs.journal()
    runs.verdict()
    monkeypatch.setenv("COLUMNS", "40")
    _, out = walk()
    pages = [line for line in out.splitlines() if "checklist.md" not in line and "python -m" not in line]
    assert max(map(len, pages)) <= 40


@pytest.mark.drill
def test_at_a_terminal_each_item_is_asked_once(runs):
    runs.journal()
    folder = runs.verdict()
    script = (
        "import sys; from pathlib import Path; from reports import folders; "
        f"folders.RUNS = Path({str(runs.folder)!r}); from reports.__main__ import main; "
        "sys.exit(main(['checklist', '--by', 'ann']))"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "dumb", "PYTHONIOENCODING": "ascii"},
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, b"y told the team\nwhat\ny\nskip\nn\n\ny\n")
        seen = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:
                break
            seen += block
        assert process.wait(20) == 1, seen
    os.close(ours)
    found = entries(folder)
    assert found["alert-stakeholders"]["answer"]["note"] == "told the team"
    states = [found[item]["state"] for item in HUMAN]
    assert states == ["signed", "signed", "open", "not met", "open", "signed"]
    seen.decode("ascii")
