"""The folder of a drill: everything that is written there passes the redactor."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from drills.stacks.errors import StackError
from drills.stacks.stack import PARTS, Stack
from target import load
from target.redact import Redactor

DRILLS = Path(__file__).resolve().parents[1] / "runs" / "drills"
_NO_SECRET = {"yandex_folder"}
_LOG_LINES = 2000


class RunFolder:
    """`runs/drills/<UTC time>-<name>/`; its timeline is written as things happen, so that it outlives a kill."""

    def __init__(self, stack: Stack, name: str, root: Path = DRILLS) -> None:
        self.path = _made(root, name)
        self._stack = stack
        self._redactor = Redactor(_secrets(stack))
        self._began = time.monotonic()

    def happened(self, what: str, says: str = "") -> None:
        """A line of the timeline: when (UTC), seconds since the drill began, what, and the evidence."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._began, 3),
            "what": what,
            "says": self._redactor.text(says),
        }
        with (self.path / "timeline.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._redactor.text(text)

    def write(self, name: str, text: str) -> None:
        """Write a file, without secrets."""
        (self.path / name).write_text(self._redactor.text(text), "utf-8")

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON, without secrets: as data, since masking text could break it."""
        data = self._redactor.data(msgspec.to_builtins(value))
        (self.path / name).write_bytes(msgspec.json.format(msgspec.json.encode(data)) + b"\n")

    def keep_journal(self, journal: Path) -> None:
        """Copy the journal of a rollback, a line at a time; one that was cut short is left out."""
        lines = []
        for line in journal.read_bytes().splitlines():
            try:
                lines.append(msgspec.json.encode(self._redactor.data(msgspec.json.decode(line))))
            except msgspec.DecodeError:
                continue
        (self.path / "journal.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))

    def keep_logs(self) -> None:
        """The last lines that each part of the stack logged; of one that cannot be asked, why."""
        folder = self.path / "log"
        folder.mkdir(exist_ok=True)
        for name in PARTS:
            try:
                text = "\n".join(self._stack.log(name, _LOG_LINES))
            except StackError as error:
                text = str(error)
            (folder / f"{name}.log").write_text(self._redactor.text(text) + "\n", "utf-8")


def _made(root: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^\w.-]", "_", name)
    for attempt in range(100):
        path = root / f"{stamp}-{safe}{f'-{attempt}' if attempt else ''}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{root}: a hundred drills of {name} in one second")


def _secrets(stack: Stack) -> set[str]:
    values: Mapping[str, Any] = msgspec.structs.asdict(stack.secrets)
    found = {str(value) for name, value in values.items() if name not in _NO_SECRET}

    found |= load.secrets(load.load(stack.layout.target_file, environ={}))
    return found
