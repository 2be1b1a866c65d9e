"""Telling a running front how to misbehave."""

import http.client

import msgspec

from drills.front.behaviour import Behaviour
from drills.stacks.errors import StackError

_TIMEOUT_S = 5.0


class Control:
    """The control port of a front at `host`:`port`. Calls raise `StackError` when it does not answer or refuses."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._token = token

    def state(self) -> Behaviour:
        """How it behaves now."""
        return self._ask("GET", b"")

    def become(self, behaviour: Behaviour) -> Behaviour:
        """Replace the behaviour; what it is then, as the front says itself."""
        return self._ask("PUT", msgspec.json.encode(behaviour))

    def change(self, **changes: object) -> Behaviour:
        """Change some of it and leave the rest."""
        return self.become(msgspec.structs.replace(self.state(), **changes))

    def _ask(self, method: str, body: bytes) -> Behaviour:
        host, port = self._address
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, "/state", body, {"Authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"front: its control port {host}:{port} does not answer ({error})") from None
        finally:
            connection.close()
        if response.status != 200:
            raise StackError(
                f"front: its control port says {response.status}: {content[:200].decode('utf-8', 'replace')}"
            )
        return msgspec.json.decode(content, type=Behaviour)
