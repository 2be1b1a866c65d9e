"""Telling a running front, or the network, how to misbehave."""

import http.client
from typing import Generic, TypeVar

import msgspec

from drills.front.behaviour import Behaviour
from drills.stacks.errors import StackError

_TIMEOUT_S = 5.0
B = TypeVar("B", bound=msgspec.Struct)


class ControlOf(Generic[B]):
    """The control port of a part at `host`:`port`, with behaviour of `kind`.

    Calls raise `StackError` when it does not answer or refuses.
    """

    def __init__(self, part: str, kind: type[B], host: str, port: int, token: str) -> None:
        self._part = part
        self._kind = kind
        self._address = (host, port)
        self._token = token

    def state(self) -> B:
        """How it behaves now."""
        return self._ask("GET", b"")

    def become(self, behaviour: B) -> B:
        """Replace the behaviour; what it is then, as it says itself."""
        return self._ask("PUT", msgspec.json.encode(behaviour))

    def change(self, **changes: object) -> B:
        """Change some of it and leave the rest."""
        return self.become(msgspec.structs.replace(self.state(), **changes))

    def _ask(self, method: str, body: bytes) -> B:
        host, port = self._address
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, "/state", body, {"Authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise StackError(
                f"{self._part}: its control port {host}:{port} does not answer ({error})"
            ) from None
        finally:
            connection.close()
        if response.status != 200:
            raise StackError(
                f"{self._part}: its control port says {response.status}: {content[:200].decode('utf-8', 'replace')}"
            )
        return msgspec.json.decode(content, type=self._kind)


class Control(ControlOf[Behaviour]):
    """The control port of a front."""

    def __init__(self, host: str, port: int, token: str) -> None:
        super().__init__("front", Behaviour, host, port, token)
