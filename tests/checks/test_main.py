"""`python -m checks triage` on the command line: one clear line and exit 4 for what cannot be used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def checks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "checks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--help lists what there is"),
        (("judge",), "--help lists what there is"),
        (("triage", "--target", "/nowhere/target.yaml"), "/nowhere/target.yaml"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_4(arguments: tuple[str, ...], told: str) -> None:
    ran = checks(*arguments)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert told in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_dead_service_is_scenario_1_with_its_cure(tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(f"name: dead\nstate_dir: {tmp_path}/state\napi: {{url: 'http://127.0.0.1:9'}}\n")
    ran = checks("triage", "--json", "--target", str(target))
    assert ran.returncode == 1, ran.stderr
    found = json.loads(ran.stdout)
    assert found["scenario"] == 1
    assert [each["name"] for each in found["triggers"] if each["holds"]] == ["api_failures", "error_share"]
    assert found["cure"]["level"] == 1
    assert "compare api.url" in found["cure"]["command"]
    assert "Traceback" not in ran.stderr


def test_a_name_that_does_not_resolve_is_a_wrong_target_and_no_emergency(tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(f"name: typo\nstate_dir: {tmp_path}/state\napi: {{url: 'http://voice.invalid'}}\n")
    ran = checks("triage", "--target", str(target))
    assert ran.returncode == 4, ran.stdout
    assert "does not resolve" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
