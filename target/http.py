"""HTTP to one server. The only module that imports httpx; what goes wrong becomes one clear `ApiError`."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from target.errors import ApiError, TargetError, WrongAddress

# httpx imports its command line, and with it rich and click, wherever those happen to be installed. Without them it
# loads in half the time, and the command line is of no use here.
_absent = "httpx._main" not in sys.modules
if _absent:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # None is how Python marks what may not be imported
import httpx  # noqa: E402  (after the line above, on purpose)

if _absent:
    del sys.modules["httpx._main"]
with contextlib.suppress(ImportError):
    # What httpx would load at its first request, at the cost of that request's latency.
    import anyio._backends._asyncio  # noqa: F401

LARGEST_BODY = 64 << 20
# Two lost SYNs are sent again after 1 and 3 seconds; who has not answered then is not there.
_CONNECT_S = 4.0
# Servers close idle connections after 2 (gunicorn) or 5 seconds (uvicorn); reusing one just then looks like a failure.
_IDLE_S = 1.0
_CONNECTING = ("connecting", "in the TLS handshake")
_PHASES = (
    ("connect_tcp", _CONNECTING[0]),
    ("start_tls", _CONNECTING[1]),
    ("send_request", "sending the request"),
    ("receive_response_headers", "waiting for the answer"),
    ("receive_response_body", "in the middle of the answer"),
)


class Reply(msgspec.Struct, frozen=True):
    """An answer of any status. `started` is on the monotonic clock; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    started: float
    seconds: float


class Http:
    """Requests to one base URL, each bounded by `timeout_s` in all. For one event loop; safe to call concurrently.

    HTTP/1.1; `keep` connections stay open between requests. No redirect is followed: it is the answer. Proxies of the
    environment are used, except for loopback addresses. Raises TargetError when they cannot be used.
    """

    def __init__(self, url: str, *, timeout_s: float, keep: int = 8) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        # Half, so that TCP and TLS together end before the request's own deadline: httpcore leaves a connection open
        # that is cancelled in the TLS handshake.
        self._connect_s = min(_CONNECT_S, timeout_s / 2)
        try:
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(None, connect=self._connect_s),
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=keep, keepalive_expiry=_IDLE_S
                ),
                verify=_trust(self.url),
                trust_env=not _is_loopback(self.url),
                headers={"user-agent": "voice-v2-rollback"},
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise TargetError(
                f"{self.url}: the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used: {error}"
            ) from None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        content: bytes | None = None,
    ) -> Reply:
        """Send one request and read the whole answer, whatever its status.

        Raises ApiError when there is none: URL without its query, what happened, in which phase; never a header.
        """
        place = f"{method} {self.url}{path}"
        for name, value in (headers or {}).items():
            # httpcore would find out with the connection open, and leave it open.
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise ApiError(f"{place}: cannot be sent: header {name} holds what HTTP does not allow")
        phase = "waiting for a connection"

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal phase
            if event.endswith(".started"):
                phase = next((says for name, says in _PHASES if name in event), phase)

        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._client.stream(
                    method,
                    self.url + path,
                    headers=headers,
                    params=query,
                    json=json,
                    data=form,
                    files=files,
                    content=content,
                    extensions={"trace": trace},
                ) as response:
                    body = await _read(response, place)
        except (TimeoutError, httpx.TimeoutException):
            limit = self._connect_s if phase in _CONNECTING else self._timeout_s
            raise ApiError(f"{place}: timed out after {limit:g} s {phase}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            unresolved = any(isinstance(cause, socket.gaierror) for cause in _causes(error))
            kind = WrongAddress if unresolved else ApiError
            raise kind(f"{place}: {_what_happened(error, phase)}") from None
        return Reply(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            started=started,
            seconds=time.monotonic() - started,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


async def _read(response: httpx.Response, place: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_BODY:
            raise ApiError(f"{place}: answers more than {LARGEST_BODY >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


def _what_happened(error: Exception, phase: str) -> str:
    """In words a person can act on: those of the deepest cause that says something, else of httpx's own kind."""
    for cause in _causes(error):
        told = _tls_says(cause, phase) if isinstance(cause, ssl.SSLError) else _system_says(cause, phase)
        if told:
            return told
    return _httpx_says(error, phase)


def _tls_says(error: ssl.SSLError, phase: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted: {error.verify_message}"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "does not speak TLS; is it http:// rather than https://?"
    return f"TLS failed {phase}: {error.reason or 'no reason given'}"


def _system_says(error: BaseException, phase: str) -> str | None:
    match error:
        case socket.gaierror():
            return "the host's name does not resolve; check the URL"
        case ConnectionRefusedError():
            return "connection refused; nothing listens there"
        case ConnectionResetError() | BrokenPipeError():
            return f"the connection was reset {phase}"
        case OSError() if error.errno:
            return f"{error.strerror or 'failed'} {phase}"
        case _:
            return None


def _httpx_says(error: Exception, phase: str) -> str:
    match error:
        case httpx.ProxyError():
            return "the proxy of the environment refused (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY)"
        case httpx.RemoteProtocolError() if "disconnected" in str(error) or "closed" in str(error):
            return f"the connection was closed {phase}"
        case httpx.RemoteProtocolError():
            return f"answers something that is not HTTP: {error}"
        case httpx.DecodingError():
            return "its compressed answer cannot be decoded"
        case ValueError() | httpx.InvalidURL():
            return "cannot be sent: the URL holds what HTTP does not allow"
        case _:
            return f"failed {phase} ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, the deepest first; a group tells its parts."""
    below = error.__cause__ or error.__context__
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    if below is not None:
        yield from _causes(below)
    yield error


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(url: str) -> ssl.SSLContext:
    """The system's authorities (an operator's own among them) and certifi's; only read for https."""
    if urlsplit(url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
