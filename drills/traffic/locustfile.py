"""Calls at a constant rate for Locust: open loop, each call with the moment at which it had to begin.

Run by `drills.traffic.traffic` in a process of its own, and imported nowhere: Locust patches sockets.
"""

import itertools
import os
import time
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.pool import Pool
from locust import FastHttpUser, events, task

from drills.traffic.ledger import Call, Operation, Writer
from drills.traffic.order import VARIABLE, Order

_ORDER = msgspec.json.decode(os.environ[VARIABLE], type=Order)
_LEDGER = Writer(Path(_ORDER.ledger))
_AT_ONCE = 128
_STT_EVERY = 4  # one call of so many is a transcription
_SYNC_S = 0.5
_TIMEOUT_S = 15.0
_DRAIN_S = _TIMEOUT_S + 1
_OPEN = Pool(_AT_ONCE)


def _note(
    context: dict[str, Any], start_time: float, response: Any, exception: Exception | None, **_: object
) -> None:
    _LEDGER.add(
        Call(
            operation=context["operation"],
            intended=context["intended"],
            started=start_time,
            ended=time.time(),
            status=response.status_code or 0,
            request_id=response.headers.get("X-Voice-Request-Id") if response.headers else None,
            audio_key=response.headers.get("X-Voice-Audio-Key") if response.headers else None,
            error=f"{type(exception).__name__}: {exception}"[:200] if exception else None,
        )
    )


def _keep_synced() -> None:
    while True:
        gevent.sleep(_SYNC_S)
        _LEDGER.sync()


def _begin(**_: object) -> None:
    gevent.spawn(_keep_synced)


def _drain(**_: object) -> None:
    """What is under way may still be acknowledged."""
    _OPEN.join(timeout=_DRAIN_S)
    _LEDGER.sync()


events.request.add_listener(_note)  # type: ignore[no-untyped-call]  # Locust has no types there
events.test_start.add_listener(_begin)  # type: ignore[no-untyped-call]  # Locust has no types there
events.test_stop.add_listener(_drain)  # type: ignore[no-untyped-call]  # Locust has no types there


class Callers(FastHttpUser):
    """All callers in one: its greenlets are the calls."""

    host = _ORDER.url
    concurrency = _AT_ONCE
    network_timeout = _TIMEOUT_S
    connection_timeout = 5.0
    default_headers = {"Authorization": f"Bearer {_ORDER.token}", "X-Voice-Client": _ORDER.mark}  # noqa: RUF012  (as Locust declares it)

    def on_start(self) -> None:
        """Begin to count the time."""
        self._began = time.time()
        self._number = itertools.count()
        self._recordings = [(Path(item.path).read_bytes(), item) for item in _ORDER.recordings]

    @task
    def one_more(self) -> None:
        """Send the next call when its time has come, late where this process was held up."""
        number = next(self._number)
        intended = self._began + number / _ORDER.per_second
        gevent.sleep(max(0.0, intended - time.time()))
        operation: Operation = "stt" if number % _STT_EVERY == _STT_EVERY - 1 else "tts"
        if _OPEN.full():
            now = time.time()
            why = f"not sent: {_AT_ONCE} calls are open"
            _LEDGER.add(
                Call(operation=operation, intended=intended, started=now, ended=now, status=0, error=why)
            )
            return
        context = {"operation": operation, "intended": intended}
        _OPEN.spawn(self._transcribe if operation == "stt" else self._speak, number, context)

    def _speak(self, number: int, context: dict[str, Any]) -> None:
        item = _ORDER.texts[number % len(_ORDER.texts)]
        body = {"model": "tts-1", "voice": "alloy", "input": item.text, "language": item.language}
        self.client.post("/v1/audio/speech", json={**body, "response_format": "opus"}, context=context)

    def _transcribe(self, number: int, context: dict[str, Any]) -> None:
        audio, item = self._recordings[number // _STT_EVERY % len(self._recordings)]
        parts = {"model": "whisper-1", "response_format": "json", "language": item.language}
        edge = "voice-v2-drill-7d1c"
        head = "".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts.items()
        )
        head += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="call.ogg"\r\n'
        head += "Content-Type: audio/ogg\r\n\r\n"
        self.client.post(
            "/v1/audio/transcriptions",
            data=head.encode() + audio + f"\r\n--{edge}--\r\n".encode(),  # type: ignore[arg-type]  # bytes go as they are
            headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
            context=context,
        )
