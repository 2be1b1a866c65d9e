"""The ledger of a drill: a JSON line for every call; an acknowledged one names its row and its object."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

Operation = Literal["tts", "stt"]
_OK = 200


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call. Times in seconds since the epoch; `intended` is when it had to begin, whatever held it up.

    `status` is 0 where nothing answered. `request_id` is the row's, `audio_key` the object's, as the API gave them.
    """

    operation: Operation
    intended: float
    started: float
    ended: float
    status: int
    request_id: str | None = None
    audio_key: str | None = None
    error: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the service said that it was done."""
        return self.status == _OK

    @property
    def latency_s(self) -> float:
        """From the moment at which it had to begin, so that a stall counts for each call that it held up."""
        return self.ended - self.intended


class Writer:
    """Appends calls; `sync` makes what was added so far survive a crash."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, call: Call) -> None:
        """Append one call; readers see it at once."""
        with self._lock:
            self._file.write(self._encoder.encode(call) + b"\n")
            self._file.flush()

    def sync(self) -> None:
        """Bring it to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Bring it to the disk and close it."""
        self.sync()
        self._file.close()


def read(path: Path) -> list[Call]:
    """Every call in the order in which they ended; a last line that a crash cut short is left out.

    Empty when there is no file yet. Raises ValueError: a line in the middle is none of a ledger.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    decoder = msgspec.json.Decoder(Call)
    # What follows the last line end is empty, or was cut short.
    return [decoder.decode(line) for line in lines[:-1]]
