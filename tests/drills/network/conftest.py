"""A relay on a loop of its own, before a small HTTP service."""

import asyncio
import http.client
import threading
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drills.front.control_port import ControlPort
from drills.network.certificate import expired
from drills.network.control import Control
from drills.network.relay import Relay, Route

TOKEN = "the-token"
BODY = b"0123456789" * 10


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.path == "/apart":
            self.wfile.flush()
        self.wfile.write(BODY)


class Network:
    """Two ways to the same service, and the port by which they are told."""

    body = BODY

    def __init__(self, ports, control, port):
        self.ports = ports
        self.control_port = control
        self.control = Control("127.0.0.1", control, TOKEN)
        self.service_port = port

    def connect(self, way="openai", timeout=5):
        return closing(http.client.HTTPConnection("127.0.0.1", self.ports[way], timeout=timeout))

    def ask(self, way="openai", timeout=5):
        with self.connect(way, timeout) as connection:
            connection.request("GET", "/")
            return connection.getresponse().read()


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def network(service):
    ready, holder = threading.Event(), {}

    async def serve():
        names = ("openai", "google")
        routes = [Route(name, 0, "127.0.0.1", service.server_port) for name in names]
        relay = Relay(routes, expired)
        servers = [await asyncio.start_server(partial(relay.serve, name), "127.0.0.1", 0) for name in names]
        servers.append(await asyncio.start_server(ControlPort(relay, TOKEN).serve, "127.0.0.1", 0))
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        stop = asyncio.Event()
        holder.update(stop=stop, loop=asyncio.get_running_loop(), ports=ports)
        ready.set()
        await stop.wait()
        for server in servers:
            server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(5)
    openai, google, control = holder["ports"]
    yield Network({"openai": openai, "google": google}, control, service.server_port)
    holder["loop"].call_soon_threadsafe(holder["stop"].set)
    thread.join(5)
    assert not thread.is_alive()
