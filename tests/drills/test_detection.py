"""Each fault turns the operator's own command red, the right criterion first; its cure, or healing, turns it green."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from drills.faults import active, catalogue

pytestmark = pytest.mark.drill

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def recorded(stack):
    """The stack with its record, and its target file."""
    path = str(stack.layout.target_file)
    done = run("-m", "rollback", "record", "--target", path)
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


@pytest.fixture
def judge(recorded, tmp_path):
    """Run the checks; exit code, the failed criteria in the order in which they are told, and the screen."""

    def judged(name: str) -> tuple[int, list[str], str]:
        folder = tmp_path / name
        command = ("-m", "pytest", "-m", "post_rollback", "--target", str(recorded.layout.target_file))
        done = run(*command, "--run-dir", str(folder))
        criteria = json.loads((folder / "verdict.json").read_text("utf-8"))["criteria"]
        failed = [criterion["name"] for criterion in criteria if criterion["outcome"] == "fail"]
        return done.returncode, failed, done.stdout + done.stderr

    return judged


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_noticed_and_what_mends_it_is_believed(recorded, judge, fault):
    active.inject(recorded, fault.name)
    try:
        code, failed, screen = judge("broken")
        assert code == 1, screen
        assert failed[0] in fault.shows, screen
        assert "Traceback" not in screen
        assert not any(secret in screen for secret in secrets(recorded))
        if fault.cure is not None:
            done = run("-m", "rollback", fault.cure, "--target", str(recorded.layout.target_file))
            assert done.returncode == 0, done.stdout + done.stderr
            code, _, screen = judge("cured")
            assert code == 0, screen
    finally:
        active.heal(recorded, fault.name)
    if fault.cure is None:
        code, _, screen = judge("healed")
        assert code == 0, screen


@pytest.mark.parametrize(
    "snippet", ["functional.py", "performance.py", "provider_configuration.py", "health_check.py"]
)
def test_the_runbooks_own_python_runs_unchanged_on_the_whole_stack(recorded, snippet_runner, snippet):
    layout = recorded.layout
    done = snippet_runner(layout.venv / "bin" / "python", layout.service, snippet)
    assert done.returncode == 0, done.stdout + done.stderr


def secrets(stack) -> list[str]:
    return [value for name, value in msgspec.structs.asdict(stack.secrets).items() if name != "yandex_folder"]
