"""The command line: usage, exit codes, surroundings that cannot be used, what it loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rollback.__main__ import main

ROOT = Path(__file__).parents[2]


def exits(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("environment", "--nonsense"), ("environment", "--undo", "--to", "x")]
)
def test_usage_is_exit_4(arguments, capsys):
    assert exits(*arguments) == 4
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_help_tells_the_exit_codes(capsys):
    assert exits("environment", "--help") == 0
    assert "3  failed and NOT undone" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [None, "", "name: [", "name: x\nnonsense: 1\n", "name: x\napi: {url: 5}\n"]
)
def test_an_unusable_target_is_one_line_and_exit_4(tmp_path, capsys, content):
    file = tmp_path / "target.yaml"
    if content is not None:
        file.write_text(content)
    assert main(["environment", "--target", str(file)]) == 4
    captured = capsys.readouterr()
    assert str(file) in "".join(captured.err.split("\n"))
    assert "Traceback" not in captured.err


def test_unreachable_host(quick, monkeypatch):
    monkeypatch.undo()
    quick.write_target(hosts=["ssh://nobody@127.0.0.1:1"])
    code, out = quick.run("environment")
    assert code == 4
    assert "cannot be reached" in " ".join(out.split())
    assert "Traceback" not in out


def test_target_before_or_after_the_subcommand(quick, capsys):
    for arguments in (
        ["--target", str(quick.target), "environment", "--dry-run"],
        ["environment", "--dry-run", "--target", str(quick.target)],
    ):
        assert main(arguments) == 0
        assert f"python -m rollback --target {quick.target} environment" in capsys.readouterr().out


def test_an_error_inside_is_one_line_and_its_details_hold_no_secret(quick, monkeypatch):
    def fail(self, _, /):
        raise ZeroDivisionError("about swordfish-one")

    monkeypatch.setattr("rollback.actions.environment.envfile.Switch.apply", fail)
    code, out = quick.run("environment")
    assert code == 3
    assert "error inside this tool (ZeroDivisionError" in out
    assert "Traceback" not in out
    assert "swordfish" not in out
    path = Path("".join(out.split("\n")).partition("details in ")[2].split(";")[0].replace(" ", ""))
    details = path.read_text()
    path.unlink()
    assert "Traceback" in details
    assert "swordfish" not in details
    monkeypatch.undo()


def test_status_does_not_send_one_back_to_what_is_in_place(quick):
    quick.previous.write_bytes(quick.env.read_bytes())
    code, out = quick.run("status")
    assert code == 0
    assert "equal to the one in place" in " ".join(out.split())
    assert out.rstrip().endswith("python -m checks triage")


def test_status_tells_what_to_type_and_writes_nothing(quick):
    before = quick.inventory()
    code, out = quick.run("status")
    assert (code, quick.inventory()) == (0, before)
    assert "can go back to" in out
    assert out.rstrip().endswith("environment --dry-run")
    assert quick.run()[1].splitlines()[0] == out.splitlines()[0], "status is what comes without a subcommand"


def test_status_of_an_unfinished_run(quick, kill_after_line):
    quick.run_and_kill(kill_after_line(4), "environment")
    code, out = quick.run("status", "--json")
    host = json.loads(out)["hosts"][0]
    assert code == 0
    assert (host["last"]["open"], host["last"]["action"]) == (True, "environment")
    assert "during step 2, switch .env" in host["last"]["stands_at"]
    assert "is gone" in host["lock"]["says"]
    assert host["lock"]["alive"] is False
    assert host["next"] == "python -m rollback environment --resume"


def test_the_command_line_stays_lean():
    """No test runner, load generator or drill is loaded by what the person on call types."""
    heavy = "pytest _pytest locust testcontainers drills checks scipy numpy minio psycopg"
    script = (
        "import sys; import rollback.__main__, rollback.commands, rollback.standing, rollback.standing_text;"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr
