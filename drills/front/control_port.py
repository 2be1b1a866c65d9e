"""The port by which something is told how to misbehave: the front, the network."""

import asyncio
import hmac
import json
from typing import Any, Protocol

import msgspec

from drills.front.wire import BadMessageError, Head, encode, read_body, read_head
from drills.stacks.errors import StackError

_TIMEOUT_S = 5.0
_JSON = [("Content-Type", "application/json")]


class Misbehaving(Protocol):
    """What has a behaviour that can be replaced by another of its kind; setting it raises ValueError, StackError."""

    behaviour: Any


class ControlPort:
    """GET tells the behaviour, PUT replaces it; both as JSON, only for who knows the token."""

    def __init__(self, told: Misbehaving, token: str) -> None:
        self._told = told
        self._expected = f"Bearer {token}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            head = await read_head(reader, _TIMEOUT_S)
            if head is not None:
                writer.write(self._answer(head, await read_body(reader, head, _TIMEOUT_S)))
                await writer.drain()
        except BadMessageError as error:
            writer.write(_refusal(400, "Bad Request", str(error)))
        except (TimeoutError, OSError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    def _answer(self, head: Head, body: bytes) -> bytes:
        if not hmac.compare_digest((head.get("authorization") or "").encode(), self._expected.encode()):
            return _refusal(401, "Unauthorized", "the control port wants the stack's token")
        if head.first.startswith("PUT "):
            try:
                self._told.behaviour = msgspec.json.decode(body, type=type(self._told.behaviour))
            except (ValueError, StackError) as error:
                return _refusal(400, "Bad Request", str(error))
        state = msgspec.json.encode(self._told.behaviour)
        return encode("HTTP/1.1 200 OK", [*_JSON, ("Connection", "close")], state)


def _refusal(status: int, reason: str, message: str) -> bytes:
    body = json.dumps({"error": {"message": message}}).encode()
    return encode(f"HTTP/1.1 {status} {reason}", [*_JSON, ("Connection", "close")], body)
