"""The relay itself: a port for each way, and what goes through it delayed, held back or cut off."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable

import msgspec

from drills.network.behaviour import Behaviour, Way

_CHUNK = 64 << 10
_CONNECT_S = 5.0
_WAITING = 64  # chunks on their way in one direction before the sender is held up
_TLS = b"\x16"  # what a TLS connection begins with
_HEAD_END = b"\r\n\r\n"


class Route(msgspec.Struct, frozen=True):
    """A way to `name`: what comes in on `port` goes to `host`:`target`."""

    name: str
    port: int
    host: str
    target: int


class UnknownWayError(ValueError):
    """A way that there is not; the message names those that there are."""


class Relay:
    """Passes connections on along its routes, misbehaving as `behaviour` says at that moment.

    `certificate` makes what TLS is served with where a way is to be `expired`; it is asked when one is.
    """

    def __init__(self, routes: list[Route], certificate: Callable[[], ssl.SSLContext]) -> None:
        self._routes = {route.name: route for route in routes}
        self._certificate = certificate
        self._expired: ssl.SSLContext | None = None
        self._ways = {name: Way() for name in self._routes}
        self._passable = {name: asyncio.Event() for name in self._routes}
        for event in self._passable.values():
            event.set()

    @property
    def behaviour(self) -> Behaviour:
        """The ways that misbehave."""
        return Behaviour({name: way for name, way in self._ways.items() if way != Way()})

    @behaviour.setter
    def behaviour(self, new: Behaviour) -> None:
        """Raises UnknownWayError, StackError (no certificate); then nothing is changed."""
        unknown = sorted(set(new.ways) - set(self._ways))
        if unknown:
            raise UnknownWayError(f"no way to {', '.join(unknown)}; there are {', '.join(self._ways)}")
        if self._expired is None and any(way.expired for way in new.ways.values()):
            self._expired = self._certificate()
        for name in self._ways:
            self._ways[name] = new.ways.get(name, Way())
            if self._ways[name].partitioned:
                self._passable[name].clear()
            else:
                self._passable[name].set()

    async def serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until both sides have ended it, or one of them broke it off."""
        ends = [writer]
        try:
            await self._passable[name].wait()
            first = await reader.read(_CHUNK) if self._ways[name].expired else b""
            if first.startswith(_TLS) and self._expired is not None:
                await _shake_hands(self._expired, first, reader, writer)
                return
            route = self._routes[name]
            async with asyncio.timeout(_CONNECT_S):
                far_reader, far_writer = await asyncio.open_connection(route.host, route.target)
            ends.append(far_writer)
            far_writer.write(first)
            answer = _Answer()
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._pass(name, reader, far_writer, answer, back=False))
                directions.create_task(self._pass(name, far_reader, writer, answer, back=True))
        except* (OSError, TimeoutError, ssl.SSLError, _ResetError):
            for end in ends:
                _reset(end)
        finally:
            for end in ends:
                end.close()

    async def _pass(
        self,
        name: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: "_Answer",
        *,
        back: bool,
    ) -> None:
        """Read on while earlier chunks are still on their way, so that a delay costs time and no throughput."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        loop = asyncio.get_running_loop()

        async def arrive() -> None:
            while True:
                due, chunk = await queue.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                await self._passable[name].wait()
                if not chunk:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                way = self._ways[name]
                if way.bytes_per_s:
                    await asyncio.sleep(len(chunk) / way.bytes_per_s)
                passed = answer.cut(chunk) if way.reset and back else chunk
                if not back:
                    answer.begin()
                writer.write(passed)
                await writer.drain()
                if len(passed) < len(chunk):
                    raise _ResetError

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(arrive())
            chunk = b"-"
            while chunk:
                chunk = await reader.read(_CHUNK)
                await queue.put((loop.time() + self._ways[name].latency_s, chunk))


class _ResetError(Exception):
    """The connection is to be reset here."""


class _Answer:
    """Where in an HTTP answer a connection stands; a request begins the next one."""

    def __init__(self) -> None:
        self._tail = b""
        self._in_body = False

    def begin(self) -> None:
        """The next answer begins."""
        self._tail = b""
        self._in_body = False

    def cut(self, chunk: bytes) -> bytes:
        """What of the chunk comes before the middle of the first piece of a body; all of it before a body begins."""
        start = 0
        if not self._in_body:
            seen = self._tail + chunk
            end = seen.find(_HEAD_END)
            self._tail = seen[-len(_HEAD_END) + 1 :]
            if end < 0:
                return chunk
            self._in_body = True
            start = end + len(_HEAD_END) - (len(seen) - len(chunk))
        return chunk[: start + (len(chunk) - start) // 2] if len(chunk) > start else chunk


async def _shake_hands(
    context: ssl.SSLContext, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Show the certificate to a peer that has begun to speak TLS; there is nothing more for one that accepts it."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going, server_side=True)
    coming.write(first)
    async with asyncio.timeout(_CONNECT_S):
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(going.read())
                await writer.drain()
                more = await reader.read(_CHUNK)
                if not more:
                    return
                coming.write(more)
            else:
                break
        writer.write(going.read())
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Let the peer see a reset instead of an end."""
    peer = writer.get_extra_info("socket")
    if peer is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
