"""Alert rules as Prometheus tells them, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from checks.alerts import rules, watching
from target.errors import ApiError

RULES = {
    "status": "success",
    "data": {
        "groups": [
            {
                "name": "voice",
                "file": "rules.yml",
                "rules": [
                    {
                        "name": "post_rollback_high_error_rate",
                        "type": "alerting",
                        "state": "firing",
                        "health": "ok",
                    },
                    {
                        "name": "disk_full",
                        "type": "alerting",
                        "state": "inactive",
                        "health": "err",
                        "lastError": "x",
                    },
                ],
            }
        ]
    },
}


class Handler(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        assert self.path == "/api/v1/rules?type=alert"
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.body)))  # type: ignore[attr-defined]  # set below
        self.end_headers()
        self.wfile.write(self.server.body)  # type: ignore[attr-defined]  # as above

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_rules_are_read_with_their_state(prometheus) -> None:
    prometheus.body = json.dumps(RULES).encode()
    found = await rules(f"http://127.0.0.1:{prometheus.server_port}")
    assert [(rule.name, rule.state, rule.health, watching(rule)) for rule in found] == [
        ("post_rollback_high_error_rate", "firing", "ok", True),
        ("disk_full", "inactive", "err", False),
    ]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": 1}'])
async def test_what_is_not_prometheus_is_said(prometheus, body: bytes) -> None:
    prometheus.body = body
    with pytest.raises(ApiError, match="not as Prometheus does"):
        await rules(f"http://127.0.0.1:{prometheus.server_port}")
