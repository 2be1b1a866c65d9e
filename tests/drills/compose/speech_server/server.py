"""A speech service that is none of ours: OpenAI's audio API before one provider, a row and an object a request.

Made of Debian's packages and the standard library, with variables, a port and header names of its own.
"""

import json
import os
import queue
import signal
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from email.parser import BytesParser
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.config
import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

LARGEST = 20 << 20
FAILURES = (psycopg2.Error, BotoCoreError, ClientError, OSError, KeyError, ValueError)
LANGUAGES = ("ru", "en")
STARTED = datetime.now(UTC).isoformat()
COUNTS = {(what, how): 0 for what in ("tts", "stt") for how in ("ok", "refused", "failed")}
LOCK = threading.Lock()
CONNECTIONS: "queue.SimpleQueue[object]" = queue.SimpleQueue()
BUCKET = boto3.client(
    "s3",
    endpoint_url=f"http://{os.environ['BUCKET_HOST']}",
    aws_access_key_id=os.environ["BUCKET_KEY"],
    aws_secret_access_key=os.environ["BUCKET_SECRET"],
    region_name="us-east-1",
    config=botocore.config.Config(
        s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=5, max_pool_connections=16
    ),
)


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def execute(statement, values=()):
    try:
        connection = CONNECTIONS.get_nowait()
    except queue.Empty:
        connection = psycopg2.connect(os.environ["DB_DSN"], connect_timeout=3)
        connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    CONNECTIONS.put(connection)  # not one that has failed


def keep(what, audio, language, characters, caller, began):
    name = uuid.uuid4()
    key = f"{what}/{datetime.now(UTC):%Y/%m/%d}/{name}.audio"
    BUCKET.put_object(Bucket=os.environ["BUCKET_NAME"], Key=key, Body=audio)
    columns = (
        "request_id, operation, provider, language, status, duration_ms, audio_key, audio_sha256, audio_bytes"
    )
    execute(
        f"INSERT INTO voice_usage_logs ({columns}, characters, client)"
        " VALUES (%s, %s, 'openai', %s, 'ok', %s, %s, %s, %s, %s, %s)",
        (
            str(name),
            what,
            language,
            int((time.monotonic() - began) * 1000),
            key,
            sha256(audio).hexdigest(),
            len(audio),
            characters,
            caller,
        ),
    )


def upstream(path, body, kind):
    asked = urllib.request.Request(os.environ["UPSTREAM"] + path, body, method="POST")
    asked.add_header("Content-Type", kind)
    asked.add_header("Authorization", f"Bearer {os.environ['UPSTREAM_KEY']}")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        raise Refused(400 if error.code == 400 else 502, "the provider refuses it") from None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "speech"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            state = well()
            told = {"system_status": state, "version": os.environ["RELEASE"], "started_at": STARTED}
            told["providers"] = {"openai": {"status": "healthy"}}
            self.answer(200 if state == "healthy" else 503, json.dumps(told).encode())
        elif self.path == "/metrics":
            lines = ["# TYPE voice_requests_total counter"]
            lines += [
                f'voice_requests_total{{operation="{what}",outcome="{how}"}} {count}'
                for (what, how), count in COUNTS.items()
            ]
            self.answer(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4")
        else:
            self.answer(404, b"{}")

    def do_POST(self):
        what = {"/v1/audio/speech": "tts", "/v1/audio/transcriptions": "stt"}.get(self.path)
        if what is None:
            self.close_connection = True
            self.answer(404, b"{}")
            return
        outcome, began = "failed", time.monotonic()
        try:
            body = self.taken()
            body, kind = (self.speak if what == "tts" else self.hear)(body, began)
            outcome = "ok"
            self.answer(200, body, kind, X_Answered_By="openai")
        except Refused as error:
            outcome = "refused" if error.status < 500 else "failed"
            self.answer(error.status, json.dumps({"error": {"message": str(error)}}).encode())
        except FAILURES as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            self.answer(500, b'{"error": {"message": "internal error"}}')
        finally:
            with LOCK:
                COUNTS[what, outcome] += 1

    def taken(self):
        length = int(self.headers.get("Content-Length", "0"))
        if length > LARGEST:
            self.close_connection = True
            raise Refused(413, "too large")
        body = self.rfile.read(length)
        if self.headers.get("Authorization") != f"Bearer {os.environ['TOKEN']}":
            raise Refused(401, "who are you?")
        return body

    def speak(self, body, began):
        asked = json.loads(body)
        text = asked.get("input")
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "input: say something")
        wanted = {
            name: asked[name] for name in ("model", "voice", "input", "response_format") if name in asked
        }
        audio, kind = upstream("/v1/audio/speech", json.dumps(wanted).encode(), "application/json")
        keep("tts", audio, asked.get("language"), len(text), self.headers.get("X-Caller"), began)
        return audio, kind

    def hear(self, body, began):
        kind = self.headers["Content-Type"]
        form = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
        language = parts["language"].get_payload().strip() if "language" in parts else None
        audio = parts["file"].get_payload(decode=True) if "file" in parts else b""
        if not audio or language not in (None, *LANGUAGES):
            raise Refused(400, "file and language: not these")
        told, kind = upstream("/v1/audio/transcriptions", body, kind)
        keep("stt", audio, language, None, self.headers.get("X-Caller"), began)
        return told, kind


SEEN = [0.0, "unhealthy"]


def well():
    """The state, looked at once a second at most."""
    with LOCK:
        if time.monotonic() - SEEN[0] > 1:
            try:
                execute("SELECT 1")
                BUCKET.head_bucket(Bucket=os.environ["BUCKET_NAME"])
                SEEN[1] = "healthy"
            except FAILURES as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                SEEN[1] = "unhealthy"
            SEEN[0] = time.monotonic()
        return SEEN[1]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    server = Server(("0.0.0.0", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()
