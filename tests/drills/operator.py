"""The person on call, typing the commands of the README at a stack."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from drills.stacks.stack import Stack

ROOT = Path(__file__).resolve().parents[2]


class Judged(msgspec.Struct, frozen=True):
    """A run of the checks: the failed criteria in the order in which they are told, and the screen."""

    code: int
    failed: list[str]
    screen: str


class Operator:
    """Types commands for one stack; what they print is kept, so that no secret in it goes unseen."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.printed = ""
        self._judged = 0

    def types(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python -m <words> --target …`."""
        target = str(self.stack.layout.target_file)
        done = subprocess.run(
            [sys.executable, "-m", *words, "--target", target],
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

    def judges(self) -> Judged:
        """`pytest -m post_rollback`."""
        self._judged += 1
        folder = self.folder / f"run-{self._judged}"
        done = self.types("pytest", "-m", "post_rollback", "--run-dir", str(folder))
        criteria = json.loads((folder / "verdict.json").read_text("utf-8"))["criteria"]
        failed = [criterion["name"] for criterion in criteria if criterion["outcome"] == "fail"]
        return Judged(done.returncode, failed, done.stdout + done.stderr)

    def triages(self) -> dict[str, Any]:
        """`python -m checks triage --json`."""
        done = self.types("checks", "triage", "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def saw_no_secret(self) -> None:
        """Nothing that was printed so far has a secret of the stack in it."""
        secrets = msgspec.structs.asdict(self.stack.secrets)
        shown = [name for name, value in secrets.items() if name != "yandex_folder" and value in self.printed]
        assert shown == []
