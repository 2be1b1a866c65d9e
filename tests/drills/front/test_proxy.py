"""The front passes everything on as it came, until it is told to misbehave."""

import asyncio
import contextlib
import http.client
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drills.front.behaviour import Behaviour, Knowledge
from drills.front.control import Control
from drills.front.control_port import ControlPort
from drills.front.proxy import Proxy, _falls_due
from drills.front.wire import MAX_HEAD
from drills.stacks.errors import StackError

TOKEN, SECRET = "the-token", "sk-the-secret"
HEALTH = {"system_status": "degraded", "version": "2.3.1", "providers": {"openai": {"status": "unhealthy"}}}


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = itertools.count()
    health = HEALTH

    def log_message(self, *_):
        pass

    def _send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            return self._send(200, json.dumps(self.health).encode(), Content_Type="application/json")
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            return self.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        if self.path == "/metrics":
            return self._send(200, f"asked_total {next(self.asked)}".encode())
        return self._send(200, b"content")

    do_HEAD = do_GET  # noqa: N815  (the name that http.server looks for)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._send(401, b'{"error": {"message": "no"}}')
        return self._send(200, body[::-1], X_Voice_Provider="openai")


class _Front:
    def __init__(self, port, control):
        self.port = port
        self.control = Control("127.0.0.1", control, TOKEN)

    def ask(self, method, path, body=None, **headers):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(), response.headers


class _Other(_Service):
    health = HEALTH | {"version": "9.9.9"}


@pytest.fixture
def service():
    with _listening(_Service) as server:
        yield server


@pytest.fixture
def other():
    with _listening(_Other) as server:
        yield server


@contextlib.contextmanager
def _listening(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def front(service):
    ready = threading.Event()
    holder = {}

    async def serve():
        proxy = Proxy("127.0.0.1", service.server_port, Knowledge(TOKEN, SECRET))
        control = ControlPort(proxy, TOKEN)
        stop = asyncio.Event()
        servers = [
            await asyncio.start_server(part.serve, "127.0.0.1", 0, limit=MAX_HEAD)
            for part in (proxy, control)
        ]
        holder["ports"] = [server.sockets[0].getsockname()[1] for server in servers]
        holder["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
        loop = asyncio.get_running_loop()
        ready.set()
        await stop.wait()
        for server in servers:
            server.close()
        await proxy.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(5)
    yield _Front(*holder["ports"])
    holder["stop"]()
    thread.join(5)
    assert not thread.is_alive()


def test_passes_bodies_and_headers_on(front):
    body = bytes(range(256)) * 4000
    status, answer, headers = front.ask("POST", "/v1/audio/speech", body, Authorization=f"Bearer {TOKEN}")
    assert (status, answer) == (200, body[::-1])
    assert headers["X-Voice-Provider"] == "openai"


def test_passes_a_refusal_on(front):
    assert front.ask("POST", "/v1/audio/speech", b"{}")[0] == 401


def test_takes_chunks_from_both_sides(front):
    assert front.ask("GET", "/chunked")[1] == b"abcdefg"
    pieces = iter([b"abc", b"defg"])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)) as connection:
        connection.request("POST", "/x", pieces, {"Authorization": f"Bearer {TOKEN}"}, encode_chunked=True)
        assert connection.getresponse().read() == b"gfedcba"


def test_keeps_a_connection_for_many_requests(front):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)) as connection:
        for _ in range(5):
            connection.request("GET", "/other")
            assert connection.getresponse().read() == b"content"


def test_head_has_no_body_and_keeps_the_connection(front):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)) as connection:
        connection.request("HEAD", "/other")
        response = connection.getresponse()
        assert (response.read(), response.headers["Content-Length"]) == (b"", "7")
        connection.request("GET", "/other")
        assert connection.getresponse().read() == b"content"


def test_a_dead_service_is_a_502(front, service):
    service.shutdown()
    service.server_close()
    assert front.ask("GET", "/health")[0] == 502


def test_what_is_not_http_is_a_400(front):
    status, answer, _ = front.ask("GET", "/health", None, **{"Content-Length": "nonsense"})
    assert status == 400
    assert "length" in answer.decode()


def test_every_third_request_fails(front):
    front.control.become(Behaviour(error_share=1 / 3))
    assert sorted(front.ask("GET", "/metrics")[0] for _ in range(9)) == [200] * 6 + [500] * 3


@pytest.mark.parametrize(("share", "failed"), [(0.015, 3), (0.06, 12), (0.1, 20), (0.0, 0), (1.0, 200)])
def test_a_share_falls_on_as_many_requests_as_it_says(share, failed):
    assert sum(_falls_due(count, share) for count in range(1, 201)) == failed


def test_admits_everyone(front):
    front.control.become(Behaviour(admit_everyone=True))
    assert front.ask("POST", "/x", b"ab")[:2] == (200, b"ba")
    assert front.ask("POST", "/x", b"ab", Authorization="Bearer wrong")[:2] == (200, b"ba")


def test_changes_what_health_says(front):
    front.control.become(Behaviour(health_version="9.9.9", health_secret=True, health_green=True))
    said = json.loads(front.ask("GET", "/health")[1])
    assert said["version"] == "9.9.9"
    assert SECRET in json.dumps(said)
    assert (said["system_status"], said["providers"]["openai"]["status"]) == ("healthy", "healthy")


def test_gives_a_secret_away_in_errors_only(front):
    front.control.become(Behaviour(error_secret=True))
    assert SECRET in front.ask("POST", "/x", b"ab")[1].decode()
    assert SECRET not in front.ask("GET", "/health")[1].decode()


def test_hides_metrics(front):
    front.control.become(Behaviour(metrics_gone=True))
    assert front.ask("GET", "/metrics")[0] == 404


def test_metrics_that_are_frozen_move_again_when_told(front):
    front.control.become(Behaviour(metrics_frozen=True))
    frozen = {front.ask("GET", "/metrics")[1] for _ in range(3)}
    assert len(frozen) == 1
    front.control.become(Behaviour())
    assert front.ask("GET", "/metrics")[1] not in frozen
    front.control.become(Behaviour(metrics_frozen=True))
    assert front.ask("GET", "/metrics")[1] not in frozen


def test_slows_health_alone(front):
    front.control.become(Behaviour(health_delay_s=0.2))
    started = time.monotonic()
    assert front.ask("GET", "/health")[0] == 200
    assert time.monotonic() - started >= 0.2


def test_every_third_request_goes_to_a_second_service(front, other):
    front.control.become(Behaviour(second_port=other.server_port))
    versions = [json.loads(front.ask("GET", "/health")[1])["version"] for _ in range(9)]
    assert versions.count("9.9.9") == 3
    front.control.become(Behaviour())
    assert {json.loads(front.ask("GET", "/health")[1])["version"] for _ in range(4)} == {"2.3.1"}


def test_behaves_again_when_told(front):
    front.control.become(Behaviour(error_share=1))
    assert front.ask("GET", "/metrics")[0] == 500
    front.control.become(Behaviour())
    assert front.ask("GET", "/metrics")[0] == 200


def test_changes_one_thing_and_leaves_the_rest(front):
    front.control.become(Behaviour(metrics_gone=True))
    assert front.control.change(health_version="1") == Behaviour(metrics_gone=True, health_version="1")


def test_the_control_port_wants_the_token(front):
    stranger = Control("127.0.0.1", front.control._address[1], "another")
    with pytest.raises(StackError, match="401"):
        stranger.become(Behaviour(error_share=1))
    assert front.control.state() == Behaviour()


def test_the_control_port_refuses_what_it_does_not_know(front):
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", front.control._address[1], timeout=5)
    ) as connection:
        connection.request("PUT", "/state", b'{"explode": true}', {"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        assert response.status == 400
        assert b"explode" in response.read()


def test_a_control_port_that_is_not_there_is_one_clear_line():
    with pytest.raises(StackError, match="does not answer"):
        Control("127.0.0.1", 1, TOKEN).state()
