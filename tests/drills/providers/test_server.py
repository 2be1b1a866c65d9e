import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from drills.providers.control import Control

ROOT = Path(__file__).parents[3]
GOOD = {
    "openai": {"api_key": "a"},
    "google": {"api_key": "b"},
    "yandex": {"api_key": "c", "folder_id": "d"},
}


def run(credentials: Path, *, control: int = 65535) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "drills.providers", "--credentials", str(credentials)]
    command += [
        "--openai-port",
        "1",
        "--google-port",
        "2",
        "--yandex-port",
        "3",
        "--control-port",
        str(control),
    ]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_a_second_even_with_requests_that_hang(fresh, number):
    with Control(fresh.control) as control:
        control.set("openai", "hang")
        control.set("google", "ok", latency_s=60)
        seen = []

        def ask(url: str) -> None:
            try:
                seen.append(httpx.get(url, timeout=20, trust_env=False).status_code)
            except httpx.TransportError as error:
                seen.append(type(error).__name__)

        waiting = [
            threading.Thread(target=ask, args=(url,))
            for url in (f"{fresh.openai}/v1/models", f"{fresh.google}/v1/voices")
        ]
        for thread in waiting:
            thread.start()
        deadline = time.monotonic() + 10
        while not all(control.state().providers[p].counters["list"].requests for p in ("openai", "google")):
            assert time.monotonic() < deadline
        begin = time.monotonic()
        fresh.process.send_signal(number)
        _, errors = fresh.process.communicate(timeout=10)
        assert time.monotonic() - begin < 1
        assert (fresh.process.returncode, errors) == (0, "")
        for thread in waiting:
            thread.join(timeout=10)
        assert len(seen) == 2


def test_a_taken_port_is_one_clear_line(tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(GOOD))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(file, control=port)
    assert result.returncode == 1
    assert (
        result.stderr
        == f"the stand-ins cannot start: port {port} for control cannot be used: Address already in use\n"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (json.dumps({"openai": GOOD["openai"]}), "google"),
    ],
)
def test_bad_credentials_files_are_a_usage_error_without_their_content(tmp_path, content, says):
    file = tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    result = run(file)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_ports_outside_the_range_are_a_usage_error(tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(GOOD))
    result = run(file, control=70000)
    assert result.returncode == 2
    assert "70000 is not between 1 and 65535" in result.stderr
