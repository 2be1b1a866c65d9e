"""Faults of the storage's speed."""

import io
import time

import msgspec

from drills.faults.fault import Fault, FaultError, Place
from drills.network.behaviour import Behaviour, Way
from drills.stacks import storage
from drills.stacks.stack import Stack
from drills.stacks.storage import BUCKET

_BYTES_PER_S = 40_000
_PROBE = "drill-probe"
_PROBE_BYTES = 40_000


class Slow(Fault, frozen=True):
    """The service writes to the storage at a crawl; what is short, as the question whether it is there, is fast."""

    def inject(self, at: Place) -> None:
        at.stack.network.become(Behaviour({"storage": Way(bytes_per_s=_BYTES_PER_S)}))

    def landed(self, at: Place) -> str:
        seconds = _write(at.stack)
        if seconds < _PROBE_BYTES / _BYTES_PER_S:
            raise FaultError(f"{self.name}: an object of {_PROBE_BYTES} bytes is written in {seconds:.1f} s")
        return f"an object of {_PROBE_BYTES} bytes takes {seconds:.1f} s to write"

    def heal(self, at: Place) -> None:
        # The service is not restarted: of what it is writing there would be the object, and never a row.
        at.stack.network.become(Behaviour())
        seconds = _write(at.stack)
        if seconds >= _PROBE_BYTES / _BYTES_PER_S:
            raise FaultError(f"{self.name}: an object of {_PROBE_BYTES} bytes still takes {seconds:.1f} s")


def _write(stack: Stack) -> float:
    """Write an object by the service's way and remove it again; the seconds that the writing took."""
    ways = msgspec.structs.replace(stack.ports, s3=stack.ports.way_storage)
    store = storage.client(ways, stack.secrets)
    began = time.monotonic()
    store.put_object(BUCKET, _PROBE, io.BytesIO(bytes(_PROBE_BYTES)), _PROBE_BYTES)
    seconds = time.monotonic() - began
    store.remove_object(BUCKET, _PROBE)
    return seconds


FAULTS: tuple[Fault, ...] = (
    Slow(
        name="storage-slow",
        says="what the service writes to the storage gets through at 40 kB a second",
        part="network",
        must=("average_tts_time", "response_time_increase"),
        may=("average_stt_time", "average_response_time", "p95_response_time"),
        scenario=2,
    ),
)
