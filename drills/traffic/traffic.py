"""The traffic of a drill: Locust in a process of its own, which dies with this one."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from drills.providers import catalogue
from drills.stacks.commands import tethered
from drills.stacks.errors import StackError
from drills.traffic import ledger
from drills.traffic.order import VARIABLE, Order, Recording, Text
from target.wait import Seen, eventually

MARK = "drill-traffic"
_REPOSITORY = Path(__file__).resolve().parents[2]
_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_FIRST_S = 30.0
_LAST_S = 20.0
_LONGEST_S = 1800
_SHORT = 40  # characters of a text, so that a call takes little
_LINES = 12
_KINDS = 6  # texts and recordings of each language


class TrafficError(StackError):
    """The traffic does not run; the message shows what it said last."""


def order(url: str, token: str, to: Path, per_second: float) -> Order:
    """Short phrases of the catalogue in both languages, spoken and transcribed."""
    chosen = [
        phrase
        for language in catalogue.LANGUAGES
        for phrase in [
            each for each in catalogue.phrases() if each.language == language and len(each.text) <= _SHORT
        ][:_KINDS]
    ]
    return Order(
        url=url,
        token=token,
        mark=MARK,
        ledger=str(to),
        per_second=per_second,
        texts=tuple(Text(phrase.text, phrase.language) for phrase in chosen),
        recordings=tuple(
            Recording(str(catalogue.path("openai", phrase.id)), phrase.language) for phrase in chosen
        ),
    )


class Traffic:
    """Calls at a constant rate, from `with` on until its end or `stop`; `folder` gets ledger.jsonl and traffic.log."""

    def __init__(self, url: str, token: str, folder: Path, per_second: float) -> None:
        self.ledger = folder / "ledger.jsonl"
        self.per_second = per_second
        self._log = folder / "traffic.log"
        self._order = order(url, token, self.ledger, per_second)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait for the first call, however it is answered. Raises TrafficError."""
        before = len(self.calls())
        command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary"]
        command += ["-u", "1", "--run-time", f"{_LONGEST_S}s", "--exit-code-on-error", "0"]
        # Nothing of the surroundings but where commands are: LOCUST_… would be heeded.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(_REPOSITORY),
            VARIABLE: msgspec.json.encode(self._order).decode(),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(command, "KILL"),
                cwd=_REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever runs the drill
            )

        def look() -> Seen:
            if not self.runs():
                return Seen(False, "Locust ended", final=True)
            return Seen(len(self.calls()) > before, "no call yet")

        waited = eventually(look, deadline_s=_FIRST_S)
        if not waited.met:
            self.stop()
            said = self._log.read_text("utf-8", "replace").splitlines()[-_LINES:]
            lines = "\n".join(f"    {line}" for line in said)
            raise TrafficError(f"no traffic after {waited.seconds:.0f} s: {waited.seen}; it said:\n{lines}")

    def runs(self) -> bool:
        """Whether it is still at work."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it; calls under way may still be answered. It is gone afterwards, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(_LAST_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait(_LAST_S)

    def calls(self) -> list[ledger.Call]:
        """What the ledger has so far."""
        return ledger.read(self.ledger)
