"""`python -m drills.network`: the relay as a process."""

import argparse
import asyncio
import contextlib
import signal
from functools import partial
from pathlib import Path

import msgspec

from drills.front.behaviour import Knowledge
from drills.front.control_port import ControlPort
from drills.front.wire import MAX_HEAD
from drills.network import certificate
from drills.network.behaviour import ROUTES
from drills.network.relay import Relay, Route

_LOOPBACK = "127.0.0.1"


async def run(host: str, routes: list[Route], control_port: int, token: str) -> None:
    """Serve on `host` until SIGTERM or SIGINT. Raises OSError when a port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    relay = Relay(routes, certificate.expired)
    control = ControlPort(relay, token)
    async with contextlib.AsyncExitStack() as servers:
        server = await asyncio.start_server(control.serve, host, control_port, limit=MAX_HEAD)
        servers.callback(server.close)
        for route in routes:
            server = await asyncio.start_server(
                partial(relay.serve, route.name), host, route.port, backlog=512
            )
            servers.callback(server.close)
        ways = ", ".join(f"{route.name} on {route.port}" for route in routes)
        print(f"network on {host}: {ways}; control on {control_port}", flush=True)
        await stop.wait()


def _route(text: str) -> Route:
    """NAME=PORT:HOST:TARGET."""
    name, _, rest = text.partition("=")
    port, _, far = rest.partition(":")
    host, _, target = far.rpartition(":")
    if name not in ROUTES or not port.isdigit() or not host or not target.isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PORT:HOST:PORT with a NAME of {', '.join(ROUTES)}"
        )
    return Route(name, int(port), host, int(target))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m drills.network", description=__doc__)
    parser.add_argument("--host", default=_LOOPBACK, help=f"the address to listen on (default {_LOOPBACK})")
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--route", type=_route, action="append", required=True, metavar="NAME=PORT:HOST:PORT")
    parser.add_argument("--knowledge", type=Path, required=True, help="JSON file with the stack's token")
    given = parser.parse_args()
    knowledge = msgspec.json.decode(given.knowledge.read_bytes(), type=Knowledge)
    asyncio.run(run(given.host, given.route, given.control_port, knowledge.token))


if __name__ == "__main__":
    main()
