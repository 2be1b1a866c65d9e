"""The relay passes everything on as it came, until one of its ways is told to misbehave."""

import socket
import ssl
import time

import pytest

from drills.network.behaviour import Behaviour, Way
from drills.network.control import Control
from drills.network.relay import _Answer
from drills.stacks.errors import StackError

CUT = Behaviour({"openai": Way(partitioned=True)})


def test_passes_on_as_it_came_over_a_connection_that_is_kept(network):
    with network.connect() as connection:
        for _ in range(3):
            connection.request("GET", "/")
            assert connection.getresponse().read() == network.body
    assert network.control.state() == Behaviour()


def test_latency_is_added_there_and_back(network):
    network.control.become(Behaviour({"openai": Way(latency_s=0.4)}))
    began = time.monotonic()
    assert network.ask() == network.body
    assert 0.8 <= time.monotonic() - began < 2
    began = time.monotonic()
    assert network.ask("google") == network.body
    assert time.monotonic() - began < 0.4


def test_a_narrow_way_takes_as_long_as_there_is_to_pass(network):
    network.control.become(Behaviour({"openai": Way(bytes_per_s=250)}))
    began = time.monotonic()
    assert network.ask() == network.body  # more than a hundred bytes there, and as many back
    assert 0.8 <= time.monotonic() - began < 3
    network.control.become(Behaviour())
    began = time.monotonic()
    assert network.ask() == network.body
    assert time.monotonic() - began < 0.4


def test_nothing_passes_a_partition_and_what_was_held_back_arrives_after_it(network):
    with network.connect() as connection:
        connection.request("GET", "/")
        assert connection.getresponse().read() == network.body
        network.control.become(CUT)
        connection.sock.settimeout(0.3)
        connection.request("GET", "/")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        with pytest.raises(TimeoutError):
            network.ask(timeout=0.3)
        assert network.ask("google") == network.body
        connection.sock.settimeout(5)
        network.control.become(Behaviour())
        assert connection.sock.recv(15) == b"HTTP/1.1 200 OK"
    assert network.ask() == network.body


def test_an_answer_is_reset_in_the_middle_of_its_body(network):
    network.control.become(Behaviour({"openai": Way(reset=True)}))
    with network.connect() as connection:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(ConnectionResetError):
            answer.read()
    network.control.become(Behaviour())
    assert network.ask() == network.body


@pytest.mark.parametrize(
    ("chunks", "passed"),
    [
        ([b"HTTP/1.1 200 OK\r\n\r\nabcd"], [b"HTTP/1.1 200 OK\r\n\r\nab"]),
        ([b"HTTP/1.1 200 OK\r\n\r", b"\nabcd"], [b"HTTP/1.1 200 OK\r\n\r", b"\nab"]),
        ([b"HTTP/1.1 200 OK\r\n\r\n", b"abcd"], [b"HTTP/1.1 200 OK\r\n\r\n", b"ab"]),
        ([b"HTTP/1.1 204 OK\r\n\r\n"], [b"HTTP/1.1 204 OK\r\n\r\n"]),
    ],
)
def test_the_middle_of_a_body_is_found_however_the_answer_comes(chunks, passed):
    answer = _Answer()
    assert [answer.cut(chunk) for chunk in chunks] == passed


def test_tls_with_a_certificate_that_has_expired_and_is_otherwise_good(network):
    network.control.become(Behaviour({"openai": Way(expired=True)}))
    address = ("127.0.0.1", network.ports["openai"])
    authority = ssl.get_server_certificate(address, timeout=5)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        _trusting(authority, address)
    assert network.ask() == network.body


def _trusting(authority, address):
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(address, 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


def test_the_service_behind_it_is_gone_and_back(network, service):
    service.server_close()
    with pytest.raises(ConnectionResetError):
        network.ask()


def test_a_way_that_there_is_not_is_refused_and_nothing_changed(network):
    with pytest.raises(StackError, match="no way to yandex; there are openai, google"):
        network.control.become(Behaviour({"openai": Way(reset=True), "yandex": Way(reset=True)}))
    assert network.control.state() == Behaviour()


def test_only_who_knows_the_token_may_tell_it(network):
    with pytest.raises(StackError, match="401"):
        Control("127.0.0.1", network.control_port, "guessed").become(CUT)
    assert network.control.state() == Behaviour()
