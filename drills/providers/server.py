"""All stand-ins and their control port in one process, each on its own port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import uvicorn

from drills.providers import desk_port
from drills.providers import google as google_dialect
from drills.providers import openai as openai_dialect
from drills.providers import yandex as yandex_dialect
from drills.providers.behaviour import STAND_IN, Desk
from drills.providers.recognise import Recogniser
from drills.providers.service import Service
from drills.providers.wire import Dialect

LOOPBACK = "127.0.0.1"
GRACE_S = 1


class Credentials(msgspec.Struct, frozen=True):
    """The credentials that each stand-in accepts."""

    openai: openai_dialect.Credentials
    google: google_dialect.Credentials
    yandex: yandex_dialect.Credentials


class Ports(msgspec.Struct, frozen=True):
    """Where each stand-in and the control port listen."""

    openai: int
    google: int
    yandex: int
    control: int


class PortTakenError(OSError):
    """A port cannot be listened on; the message says which and why."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: there are four of them on one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int, whose: str) -> socket.socket:
    # Named, since asyncio only turns off the delay of small packets (40 ms) where it is told that this is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"port {port} for {whose} cannot be used: {error.strerror}") from error
    return listener


def _server(app: Any) -> _Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        headers=[("X-Stand-In", STAND_IN)],
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config)


async def serve(ports: Ports, credentials: Credentials, latency_s: float, host: str = LOOPBACK) -> None:
    """Serve until SIGTERM or SIGINT, then stop at once, hanging requests included.

    `latency_s` is the usual time to an answer in seconds. Raises PortTakenError.
    """
    desk, recogniser, stopping = Desk(), Recogniser(), asyncio.Event()
    dialects: list[tuple[Dialect, int]] = [
        (openai_dialect.OpenAI(credentials.openai), ports.openai),
        (google_dialect.Google(credentials.google), ports.google),
        (yandex_dialect.Yandex(credentials.yandex), ports.yandex),
    ]
    with contextlib.ExitStack() as stack:
        servers = []
        listener = stack.enter_context(_listen(host, ports.control, "control"))
        servers.append((_server(desk_port.app(desk)), listener))
        for dialect, port in dialects:
            service = Service(dialect, desk, recogniser, latency_s=latency_s, stopping=stopping)
            listener = stack.enter_context(_listen(host, port, dialect.name))
            servers.append((_server(service.app()), listener))

        def stop() -> None:
            stopping.set()
            for server, _ in servers:
                server.should_exit = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        async with asyncio.TaskGroup() as group:
            for server, listener in servers:
                group.create_task(server.serve(sockets=[listener]))
