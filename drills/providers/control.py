"""The control port's client: how drills make a stand-in misbehave, and see what it was asked."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx
import msgspec

from drills.providers.behaviour import STAND_IN, Mode, Operation, Order, State
from drills.providers.catalogue import Provider
from target.errors import TargetError

TIMEOUT_S = 5.0


class ControlError(TargetError):
    """The stand-ins cannot be told: not reached, not stand-ins, or the order makes no sense."""


class Control:
    """Talks to one control port at `url`, e.g. `http://127.0.0.1:9099`. Every method raises ControlError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def set(
        self,
        name: Provider,
        mode: Mode,
        operation: Operation | None = None,
        latency_s: float | None = None,
        every: int | None = None,
    ) -> State:
        """Make one provider behave so, from its next request on (see `behaviour.Order`)."""
        order = Order(mode, operation, latency_s, every)
        return self._ask("PUT", f"/providers/{name}", msgspec.json.encode(order))

    def heal(self, name: Provider | None = None) -> State:
        """Make one provider, or all of them, behave well again."""
        return self._ask("DELETE", f"/providers/{name}" if name else "/providers")

    def state(self) -> State:
        """The orders in force and the counters."""
        return self._ask("GET", "/")

    def _ask(self, method: str, path: str, content: bytes | None = None) -> State:
        try:
            response = self._client.request(method, path, content=content)
        except httpx.HTTPError as error:
            raise ControlError(
                f"the stand-ins' control port {self._url} does not answer ({error}); are they running?"
            ) from error
        if response.headers.get("x-stand-in") != STAND_IN:
            raise ControlError(f"what answers at {self._url} is not the stand-ins' control port")
        if response.is_error:
            raise ControlError(f"{method} {self._url}{path}: {response.text}")
        return msgspec.json.decode(response.content, type=State)
