"""Run the stand-ins: `python -m drills.providers --openai-port N … --credentials FILE`.

STAND-INS, not the real providers: they know the phrases of a catalogue and nothing else, and every response
carries `X-Stand-In: voice-v2-rollback`. Exit 0 after SIGTERM or SIGINT, 2 for bad arguments, 1 where a port
cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

from drills.providers.server import LOOPBACK, Credentials, Ports, PortTakenError, serve


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 65535")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 3600")
    return number


def _credentials(text: str) -> Credentials:
    try:
        return msgspec.json.decode(Path(text).read_bytes(), type=Credentials)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drills.providers", description="Stand-ins for OpenAI, Google and Yandex speech."
    )
    for name in ("openai", "google", "yandex", "control"):
        parser.add_argument(f"--{name}-port", type=_port, required=True, metavar="N")
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on (default %(default)s)")
    parser.add_argument(
        "--credentials",
        type=_credentials,
        required=True,
        metavar="FILE",
        help='JSON: {"openai": {"api_key": …}, "google": {"api_key": …}, "yandex": {"api_key": …, "folder_id": …}}',
    )
    parser.add_argument("--latency", type=_seconds, default=0.02, metavar="SECONDS", help="default 0.02")
    return parser.parse_args()


def main() -> int:
    """Serve until told to stop."""
    given = _arguments()
    ports = Ports(given.openai_port, given.google_port, given.yandex_port, given.control_port)
    try:
        asyncio.run(serve(ports, given.credentials, given.latency, given.host))
    except PortTakenError as error:
        print(f"the stand-ins cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
