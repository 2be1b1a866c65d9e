"""Every way in which there can be no answer is one clear line, and an answer of any status is an answer."""

import asyncio
import contextlib
import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from target.errors import ApiError, TargetError
from target.http import Http

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def server(answer):
    """A server that gives its writer to `answer` once a request's headers are in."""
    released = asyncio.Event()

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await answer(head, writer, released)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        released.set()
        listener.close()


@contextlib.asynccontextmanager
async def client(url, timeout_s=5.0):
    http = Http(url, timeout_s=timeout_s)
    try:
        yield http
    finally:
        await http.aclose()


async def failure(url, timeout_s=5.0, **request):
    async with client(url, timeout_s) as http:
        with pytest.raises(ApiError) as caught:
            await http.ask("GET", "/x", query={"key": "canary"}, **request)
    message = str(caught.value)
    assert message.startswith(f"GET {url}/x: ")
    assert "\n" not in message
    assert "canary" not in message
    return message.removeprefix(f"GET {url}/x: ")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def plain(text):
    async def answer(head, writer, released):
        writer.write(text)

    return answer


async def test_an_answer_of_any_status():
    text = b"HTTP/1.1 503 Busy\r\nX-Who: Me\r\nContent-Length: 3\r\n\r\nno!"
    async with server(plain(text)) as url, client(url) as http:
        reply = await http.ask("GET", "/x")
        assert (reply.status, reply.body, reply.headers["x-who"]) == (503, b"no!", "Me")
        assert 0 < reply.seconds < 5


async def test_a_redirect_is_the_answer():
    text = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"
    async with server(plain(text)) as url, client(url) as http:
        assert (await http.ask("GET", "/x")).headers["location"] == "http://elsewhere/"


async def test_connections_are_kept():
    peers = set()

    async def answer(head, writer, released):
        peers.add(writer.get_extra_info("peername"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with server(answer) as url, client(url) as http:
        for _ in range(5):
            await http.ask("GET", "/x")
    assert len(peers) == 1


async def test_refused():
    assert await failure(f"http://127.0.0.1:{free_port()}") == "connection refused; nothing listens there"


async def test_name_that_does_not_resolve(monkeypatch):
    def no_such_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    assert "does not resolve" in await failure("http://voice.invalid")


async def test_timed_out_waiting():
    async def answer(head, writer, released):
        await released.wait()

    async with server(answer) as url:
        assert await failure(url, 0.2) == "timed out after 0.2 s waiting for the answer"


async def test_a_trickle_is_bounded_in_all():
    async def answer(head, writer, released):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b".")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(released.wait(), 0.05)
                return

    async with server(answer) as url:
        assert await failure(url, 0.3) == "timed out after 0.3 s in the middle of the answer"


async def test_connect_timeout():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            assert await failure(url, 0.6) == "timed out after 0.3 s connecting"


async def test_closed_without_an_answer():
    async def answer(head, writer, released):
        writer.close()

    async with server(answer) as url:
        assert await failure(url) == "the connection was closed waiting for the answer"


async def test_cut_off_in_the_middle():
    async def answer(head, writer, released):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        writer.close()

    async with server(answer) as url:
        assert await failure(url) == "the connection was closed in the middle of the answer"


async def test_reset_in_the_middle():
    async def answer(head, writer, released):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0)
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with server(answer) as url:
        assert "in the middle of the answer" in await failure(url)


async def test_not_http():
    async with server(plain(b"220 smtp ready\r\n\r\n")) as url:
        assert "not HTTP" in await failure(url)


async def test_not_tls():
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        told = await failure(url.replace("http://", "https://"))
        assert told == "does not speak TLS; is it http:// rather than https://?"


async def test_a_tls_handshake_that_never_ends():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(4)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert await failure(url, 0.4) == "timed out after 0.2 s in the TLS handshake"


async def test_bad_compression():
    body = gzip.compress(b"x" * 100)[:-30]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    broken = b"not gzip" + body
    async with server(plain(head % len(broken) + broken)) as url:
        assert await failure(url) == "its compressed answer cannot be decoded"


@pytest.mark.parametrize("value", ["a\nb-canary", "ключ-canary"])
async def test_a_header_that_cannot_be_sent(value):
    async with server(plain(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        assert "does not allow" in await failure(url, headers={"x-a": value})


async def test_too_much(monkeypatch):
    monkeypatch.setattr("target.http.LARGEST_BODY", 1 << 20)
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3000000
    async with server(plain(text)) as url:
        assert await failure(url) == "answers more than 1 MiB"


async def test_no_proxy_for_loopback(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with server(plain(b"HTTP/1.1 204 OK\r\n\r\n")) as url, client(url) as http:
        assert (await http.ask("GET", "/x")).status == 204


async def test_other_hosts_go_through_the_proxy(monkeypatch):
    async with server(plain(b"HTTP/1.1 204 OK\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        async with client("http://voice.invalid") as http:
            assert (await http.ask("GET", "/x")).status == 204


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(TargetError, match="ALL_PROXY names cannot be used"):
        Http("http://voice.invalid", timeout_s=1)


def test_what_it_loads():
    """No command line of httpx, whatever is installed; importing httpx afterwards still works."""
    code = (
        "import sys, target.http, httpx; print(*sorted({'rich', 'click', 'httpx._main'} & set(sys.modules)));"
        "print(httpx.main)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert out.stdout.startswith("\n<function main")
