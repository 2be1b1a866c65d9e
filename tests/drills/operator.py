"""The person on call of a drill, who looks besides at what the commands print."""

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import yaml

from drills import operator
from drills.detection import Triaged, rollback_words
from drills.operator import Typed
from drills.stacks.stack import Stack

_LIMIT_S = 240.0


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

    def types(self, *words: str, target: Path | None = None) -> Typed:
        """`python -m <words> --target …`."""
        typed = operator.Operator(target or self.target_file).types(*words, limit_s=_LIMIT_S)
        self.printed += typed.out + typed.errors
        assert "Traceback" not in typed.errors + typed.out, typed.out + typed.errors
        return typed

    def rolls_back(self, *words: str, exits: int = 0) -> str:
        """`python -m rollback <words>`; what it printed."""
        done = self.types("rollback", *words)
        said = f"$ python -m rollback {shlex.join(words)}\n{done.out}{done.errors}"
        assert done.exit == exits, said
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
        return Judged(done.exit, found["fail"], found["inconclusive"], done.out + done.errors)

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
        found: dict[str, Any] = json.loads(done.out)
        return found

    def is_told(self, cure: str) -> list[str]:
        """What triage says to type after `python -m rollback` for this action."""
        return rollback_words(cure, msgspec.convert(self.triages(), type=Triaged))

    def saw_no_secret(self) -> None:
        """Nothing that was printed so far has a secret of the stack in it."""
        secrets = msgspec.structs.asdict(self.stack.secrets)
        shown = [name for name, value in secrets.items() if name != "yandex_folder" and value in self.printed]
        assert shown == []
