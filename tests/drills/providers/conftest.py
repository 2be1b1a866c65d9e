import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from drills.providers.control import Control
from drills.providers.recognise import Recogniser

ROOT = Path(__file__).parents[3]
CREDENTIALS = {
    "openai": {"api_key": "sk-test-openai-0001"},
    "google": {"api_key": "AIza-test-google-0002"},
    "yandex": {"api_key": "AQVN-test-yandex-0003", "folder_id": "b1gtestfolder"},
}
NAMES = ("openai", "google", "yandex", "control")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def start(folder: Path) -> SimpleNamespace:
    """A process of stand-ins that answers: `process`, and a URL for each of NAMES."""
    file = folder / "credentials.json"
    file.write_text(json.dumps(CREDENTIALS))
    ports = dict(zip(NAMES, free_ports(4), strict=True))
    command = [sys.executable, "-m", "drills.providers", "--credentials", str(file), "--latency", "0.005"]
    command += [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    deadline = time.monotonic() + 15
    for port in ports.values():
        while not listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"the stand-ins did not start: {process.communicate()[1]}")
    return SimpleNamespace(process=process, **urls)


def stop(process: subprocess.Popen) -> str:
    """End it by SIGTERM and return what it wrote on stderr."""
    process.terminate()
    try:
        return process.communicate(timeout=10)[1]
    finally:
        process.kill()


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory) -> Iterator[SimpleNamespace]:
    running = start(tmp_path_factory.mktemp("stand-ins"))
    yield running
    assert (stop(running.process), running.process.returncode) == ("", 0)


@pytest.fixture
def fresh(tmp_path) -> Iterator[SimpleNamespace]:
    """A process of its own for one test."""
    running = start(tmp_path)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate(timeout=10)


@pytest.fixture(scope="session")
def told(stand_ins) -> Iterator[Control]:
    with Control(stand_ins.control) as client:
        yield client


@pytest.fixture
def control(told) -> Iterator[Control]:
    told.heal()
    yield told
    told.heal()


def client(url: str, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False)


@pytest.fixture(scope="session")
def plain() -> Iterator[httpx.Client]:
    """A client without credentials."""
    with client("") as asking:
        yield asking


@pytest.fixture(scope="session")
def openai(stand_ins) -> Iterator[httpx.Client]:
    with client(stand_ins.openai, Authorization=f"Bearer {CREDENTIALS['openai']['api_key']}") as asking:
        yield asking


@pytest.fixture(scope="session")
def google(stand_ins) -> Iterator[httpx.Client]:
    with client(stand_ins.google, **{"x-goog-api-key": CREDENTIALS["google"]["api_key"]}) as asking:
        yield asking


@pytest.fixture(scope="session")
def yandex(stand_ins) -> Iterator[httpx.Client]:
    with client(stand_ins.yandex, Authorization=f"Api-Key {CREDENTIALS['yandex']['api_key']}") as asking:
        yield asking
