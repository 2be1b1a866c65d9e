"""The person on call, typing the commands of the README at a stack."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from drills.detection import Triaged, rollback_words
from drills.stacks.stack import Stack

ROOT = Path(__file__).resolve().parents[2]


class Judged(msgspec.Struct, frozen=True):
    """A run of the checks: the criteria that failed, in the order they are told, those undecided, the screen."""

    code: int
    failed: list[str]
    undecided: list[str]
    screen: str


class Operator:
    """Types commands for one stack; what they print is kept, so that no secret in it goes unseen."""

    def __init__(self, stack: Stack, folder: Path, target_file: Path | None = None) -> None:
        self.stack = stack
        self.target_file = target_file or stack.layout.target_file
        self.folder = folder
        self.printed = ""
        self._judged = 0

    def types(self, *words: str, target: Path | None = None) -> subprocess.CompletedProcess[str]:
        """`python -m <words> --target …`."""
        done = subprocess.run(
            [sys.executable, "-m", *words, "--target", str(target or self.target_file)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        self.printed += done.stdout + done.stderr
        assert "Traceback" not in done.stderr + done.stdout, done.stdout + done.stderr
        return done

    def rolls_back(self, *words: str, exits: int = 0) -> str:
        """`python -m rollback <words>`; what it printed."""
        done = self.types("rollback", *words)
        said = f"$ python -m rollback {shlex.join(words)}\n{done.stdout}{done.stderr}"
        assert done.returncode == exits, said
        return said

    def judges(self, marker: str = "post_rollback", requests: int | None = None) -> Judged:
        """`pytest -m <marker>`, with `requests` in the target's budget where a number is given."""
        self._judged += 1
        folder = self.folder / f"run-{self._judged}"
        target = self._allowing(requests) if requests is not None else None
        done = self.types("pytest", "-m", marker, "--run-dir", str(folder), target=target)
        criteria = json.loads((folder / "verdict.json").read_text("utf-8"))["criteria"]
        found: dict[str, list[str]] = {"fail": [], "inconclusive": []}
        for criterion in criteria:
            found.setdefault(criterion["outcome"], []).append(criterion["name"])
        return Judged(done.returncode, found["fail"], found["inconclusive"], done.stdout + done.stderr)

    def _allowing(self, requests: int) -> Path:
        """A target file like the stack's, beside it, with another budget."""
        file = self.stack.layout.target_file
        described = yaml.safe_load(file.read_text("utf-8")) | {"budget": {"requests": requests}}
        other = file.with_name("target-budget.yaml")
        other.write_text(yaml.safe_dump(described), "utf-8")
        return other

    def triages(self) -> dict[str, Any]:
        """`python -m checks triage --json`."""
        done = self.types("checks", "triage", "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def is_told(self, cure: str) -> list[str]:
        """What triage says to type after `python -m rollback` for this action."""
        return rollback_words(cure, msgspec.convert(self.triages(), type=Triaged))

    def saw_no_secret(self) -> None:
        """Nothing that was printed so far has a secret of the stack in it."""
        secrets = msgspec.structs.asdict(self.stack.secrets)
        shown = [name for name, value in secrets.items() if name != "yandex_folder" and value in self.printed]
        assert shown == []
