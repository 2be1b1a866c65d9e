"""The folder of a drill: everything that is written there passes the redactor."""

import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from drills.stacks.stack import Stack
from target import load
from target.redact import Redactor

DRILLS = Path(__file__).resolve().parents[1] / "runs" / "drills"
_NO_SECRET = {"yandex_folder"}
_LOG_LIMIT = 4 << 20


class RunFolder:
    """`runs/drills/<UTC time>-<name>/`; its timeline is written as things happen, so that it outlives a kill."""

    def __init__(self, stack: Stack, name: str, root: Path = DRILLS) -> None:
        self.path = _made(root, name)
        self._layout = stack.layout
        self._redactor = Redactor(_secrets(stack))
        self._sizes = {path.name: path.stat().st_size for path in self._logs()}
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
        """Copy what the parts of the stack logged since the drill began."""
        folder = self.path / "log"
        folder.mkdir(exist_ok=True)
        for path in self._logs():
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                # A log that is shorter now was turned over.
                since = self._sizes.get(path.name, 0)
                file.seek(max(since if since <= size else 0, size - _LOG_LIMIT))
                text = file.read(_LOG_LIMIT).decode("utf-8", "replace")
            (folder / path.name).write_text(self._redactor.text(text), "utf-8")

    def _logs(self) -> list[Path]:
        return [path for path in sorted(self._layout.logs.glob("*.log")) if path.is_file()]


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
