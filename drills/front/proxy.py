"""The proxy itself: one asyncio server, connections to the service kept and reused, about a millisecond a request."""

import asyncio
import contextlib
import json
import time

import msgspec

from drills.front.behaviour import Behaviour, Knowledge
from drills.front.wire import (
    BadMessageError,
    Head,
    encode,
    read_body,
    read_head,
)

_IDLE_S = 75.0
_BODY_S = 60.0
_ANSWER_S = 180.0
_CONNECT_S = 5.0
# The service closes a connection that was idle for five seconds.
_REUSE_S = 2.0
_SECOND_EVERY = 3
_ROUNDING = 1e-9
_JSON = [("Content-Type", "application/json")]


class Answer(msgspec.Struct):
    """A response on its way back."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.first.split(" ", 2)[1])


class _Link(msgspec.Struct):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float


class Proxy:
    """Passes requests on to `host`:`port`, misbehaving as `behaviour` says at that moment."""

    def __init__(self, host: str, port: int, knowledge: Knowledge) -> None:
        self.behaviour = Behaviour()
        self._upstream = (host, port)
        self._knowledge = knowledge
        self._idle: list[_Link] = []
        self._count = 0
        self._frozen: Answer | None = None

    async def close(self) -> None:
        """Close the connections to the service that are kept for later."""
        while self._idle:
            link = self._idle.pop()
            link.writer.close()
            with contextlib.suppress(OSError):
                await link.writer.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client's connection until either side closes it."""
        try:
            while await self._exchange(reader, writer):
                pass
        except BadMessageError as error:
            writer.write(_refusal(400, "Bad Request", str(error)))
        except (TimeoutError, OSError):
            pass  # the client has gone, or has said nothing for long: nobody is left to tell
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await read_head(reader, _IDLE_S)
        if head is None:
            return False
        if (head.get("expect") or "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, head, _BODY_S)
        writer.write(await self._answer(head, body))
        await writer.drain()
        return head.keep_alive

    async def _answer(self, head: Head, body: bytes) -> bytes:
        behaviour = self.behaviour
        self._count += 1
        method, _, rest = head.first.partition(" ")
        path = rest.split(" ")[0].split("?")[0]
        if _falls_due(self._count, behaviour.error_share):
            return self._finish(behaviour, _error(500, "Internal Server Error", "internal error"), method)
        if behaviour.metrics_gone and path == "/metrics":
            return self._finish(behaviour, _error(404, "Not Found", "not found"), method)
        if behaviour.health_delay_s and path == "/health":
            await asyncio.sleep(behaviour.health_delay_s)
        if behaviour.admit_everyone:
            head = Head(
                head.first,
                [*head.without("authorization"), ("Authorization", f"Bearer {self._knowledge.token}")],
            )
        try:
            answer = await self._ask(head, body, method, self._second(behaviour))
        except (OSError, TimeoutError, BadMessageError):
            answer = _error(502, "Bad Gateway", "the service does not answer")
        if path == "/health":
            answer = self._health(behaviour, answer)
        if path == "/metrics":
            answer = self._metrics(behaviour, answer)
        return self._finish(behaviour, answer, method)

    def _second(self, behaviour: Behaviour) -> int | None:
        """The port of the second service, where this request is one for it."""
        return behaviour.second_port if self._count % _SECOND_EVERY == 0 else None

    async def _ask(self, head: Head, body: bytes, method: str, second: int | None) -> Answer:
        link = await self._link() if second is None else await self._connect(second)
        try:
            link.writer.write(encode(head.first, [*head.end_to_end(), ("Connection", "keep-alive")], body))
            # It may answer before it has read all, and close.
            with contextlib.suppress(ConnectionError):
                await link.writer.drain()
            answer = await read_head(link.reader, _ANSWER_S) or _error(502, "Bad Gateway", "no answer").head
            bare = method == "HEAD" or answer.first.split(" ", 2)[1] in ("204", "304")
            content = b"" if bare else await read_body(link.reader, answer, _ANSWER_S, to_end=True)
        except BaseException:
            link.writer.close()
            raise
        whole = bare or answer.get("content-length") or answer.get("transfer-encoding")
        if second is None and answer.keep_alive and whole:
            link.used = time.monotonic()
            self._idle.append(link)
        else:
            link.writer.close()
        return Answer(answer, content)

    async def _link(self) -> _Link:
        while self._idle:
            link = self._idle.pop()
            if time.monotonic() - link.used < _REUSE_S and not link.reader.at_eof():
                return link
            link.writer.close()
        return await self._connect(self._upstream[1])

    async def _connect(self, port: int) -> _Link:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(self._upstream[0], port)
        return _Link(reader, writer, 0.0)

    def _health(self, behaviour: Behaviour, answer: Answer) -> Answer:
        changed = behaviour.health_secret or behaviour.health_version or behaviour.health_green
        if not changed:
            return answer
        try:
            said = json.loads(answer.body)
        except ValueError:
            return answer
        if not isinstance(said, dict):
            return answer
        if behaviour.health_version:
            said["version"] = behaviour.health_version
        if behaviour.health_secret:
            said["configuration"] = {"openai_api_key": self._knowledge.secret}
        if behaviour.health_green:
            _paint_green(said)
            answer.head.first = "HTTP/1.1 200 OK"
        return Answer(answer.head, json.dumps(said).encode())

    def _metrics(self, behaviour: Behaviour, answer: Answer) -> Answer:
        self._frozen = (self._frozen or answer) if behaviour.metrics_frozen else None
        return self._frozen or answer

    def _finish(self, behaviour: Behaviour, answer: Answer, method: str) -> bytes:
        body = answer.body
        if behaviour.error_secret and answer.status >= 400:
            wrong = f"request to provider failed, key {self._knowledge.secret}"
            body = json.dumps({"error": {"message": wrong, "type": "error"}}).encode()
        fields = answer.head.end_to_end()
        if method == "HEAD":
            return encode(
                answer.head.first, [*fields, ("Content-Length", answer.head.get("content-length") or "0")]
            )
        if answer.status in (204, 304):
            return encode(answer.head.first, [*fields, ("Content-Length", "0")])
        return encode(answer.head.first, fields, body)


def _falls_due(count: int, share: float) -> bool:
    """Whether this request, of a whole number, is the next that a share evenly spread falls on."""
    return int(count * share + _ROUNDING) > int((count - 1) * share + _ROUNDING)


def _paint_green(said: dict[str, object]) -> None:
    said["system_status"] = "healthy"
    for name in ("providers", "components"):
        parts = said.get(name)
        if isinstance(parts, dict):
            for part in parts.values():
                if isinstance(part, dict):
                    part.update(status="healthy")
                    if "last_error" in part:
                        part["last_error"] = None


def _error(status: int, reason: str, message: str) -> Answer:
    body = json.dumps({"error": {"message": message, "type": "server_error"}}).encode()
    return Answer(Head(f"HTTP/1.1 {status} {reason}", list(_JSON)), body)


def _refusal(status: int, reason: str, message: str) -> bytes:
    body = json.dumps({"error": {"message": message}}).encode()
    return encode(f"HTTP/1.1 {status} {reason}", [*_JSON, ("Connection", "close")], body)
