"""HTTP/1.1 as far as a proxy on the loopback needs it: heads, bodies, framing (RFC 9112)."""

import asyncio

import msgspec

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)


class BadMessageError(Exception):
    """What came is not a message of HTTP/1.1, or is too large."""


class Head(msgspec.Struct):
    """A start line and the header fields in order, names as they came."""

    first: str
    fields: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The first field of that name, any case."""
        return next((value for key, value in self.fields if key.lower() == name), None)

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The fields that are not of those names (lower case)."""
        return [(key, value) for key, value in self.fields if key.lower() not in names]

    def end_to_end(self) -> list[tuple[str, str]]:
        """The fields that are for the other end, not for the next hop; no Content-Length, which follows the body."""
        return self.without(*_HOP_BY_HOP, "content-length")

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open afterwards."""
        stated = (self.get("connection") or "").lower()
        return "close" not in stated and ("HTTP/1.1" in self.first or "keep-alive" in stated)


def encode(first: str, fields: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """A whole message; its length is stated unless the fields frame it otherwise."""
    lines = [first, *(f"{name}: {value}" for name, value in fields)]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


async def read_head(reader: asyncio.StreamReader, timeout_s: float) -> Head | None:
    """The next head, None when the peer has closed. Raises BadMessageError, TimeoutError, OSError."""
    try:
        async with asyncio.timeout(timeout_s):
            raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadMessageError("the head is cut short") from None
        return None
    except asyncio.LimitOverrunError:
        raise BadMessageError("the head is too large") from None
    first, *rest = raw[:-4].decode("latin-1").split("\r\n")
    fields = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadMessageError("a header field is malformed")
        fields.append((name, value.strip()))
    return Head(first, fields)


async def read_body(
    reader: asyncio.StreamReader, head: Head, timeout_s: float, *, to_end: bool = False
) -> bytes:
    """The body that the head announces, without framing; `to_end`: an unannounced one goes on until the peer closes.

    Raises BadMessageError, TimeoutError, OSError.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if "chunked" in (head.get("transfer-encoding") or "").lower():
                return await _read_chunks(reader)
            stated = head.get("content-length")
            if stated is None:
                return await reader.read(MAX_BODY) if to_end else b""
            if not stated.isdigit() or int(stated) > MAX_BODY:
                raise BadMessageError("the length is malformed or too large")
            return await reader.readexactly(int(stated))
    except asyncio.IncompleteReadError:
        raise BadMessageError("the body is cut short") from None
    except asyncio.LimitOverrunError:
        raise BadMessageError("a chunk's size line is too long") from None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    total = 0
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise BadMessageError("a chunk's size is malformed") from None
        total += size
        if size < 0 or total > MAX_BODY:
            raise BadMessageError("the body is too large")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return b"".join(pieces)
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
