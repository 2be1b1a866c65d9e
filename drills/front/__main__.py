"""`python -m drills.front`: the proxy as a process."""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

import msgspec

from drills.front.behaviour import Knowledge
from drills.front.control_port import ControlPort
from drills.front.proxy import Proxy
from drills.front.wire import MAX_HEAD

_LOOPBACK = "127.0.0.1"


async def run(
    host: str, port: int, service: tuple[str, int], control_port: int, knowledge: Knowledge
) -> None:
    """Serve on `host` for that service until SIGTERM or SIGINT. Raises OSError when a port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    proxy = Proxy(*service, knowledge)
    control = ControlPort(proxy, knowledge.token)
    async with contextlib.AsyncExitStack() as servers:
        servers.push_async_callback(proxy.close)
        for serve, at in ((proxy.serve, port), (control.serve, control_port)):
            server = await asyncio.start_server(serve, host, at, limit=MAX_HEAD, backlog=512)
            servers.callback(server.close)
        print(
            f"front on {host}:{port}, control on {control_port}, service on {service[0]}:{service[1]}",
            flush=True,
        )
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m drills.front", description=__doc__)
    parser.add_argument("--host", default=_LOOPBACK, help="the address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--service-host", default=_LOOPBACK, help="where the service is (default %(default)s)"
    )
    parser.add_argument("--service-port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--knowledge", type=Path, required=True, help="JSON file with token and secret")
    given = parser.parse_args()
    knowledge = msgspec.json.decode(given.knowledge.read_bytes(), type=Knowledge)
    service = (given.service_host, given.service_port)
    asyncio.run(run(given.host, given.port, service, given.control_port, knowledge))


if __name__ == "__main__":
    main()
