"""Settings: every wrong one is an error that names its key and never its value."""

from __future__ import annotations

import json
import subprocess

import pytest

pytestmark = pytest.mark.drill

_WRONG = [
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "mysql://canary-value@host/x"),
    ("S3_ENDPOINT", "http://canary-value:9000"),
    ("S3_SECRET_KEY", ""),
    ("S3_SECURE", "canary-value"),
    ("API_TOKEN", ""),
    ("YANDEX_FOLDER_ID", " "),
    ("GOOGLE_API_KEY", ""),
    ("GOOGLE_BASE_URL", "canary-value"),
    ("STT_PROVIDERS", "openai,canary-value"),
    ("TTS_PROVIDERS", "openai,openai"),
    ("PROVIDER_TIMEOUT_S", "canary-value"),
    ("PROVIDER_TIMEOUT_S", "nan"),
    ("PROVIDER_RETRIES", "canary-value"),
    ("MAX_AUDIO_BYTES", "-1"),
    ("DEBUG", "canary-value"),
    ("LOG_LEVEL", "canary-value"),
]
_JUDGE = """
import json, pathlib, sys
from app.services.voice_v2.core.config import load_config
from app.services.voice_v2.core.errors import ConfigError
def judge(folder, environ):
    try:
        return repr(load_config(pathlib.Path(folder), environ))
    except ConfigError as error:
        return "refused: " + str(error)
print(json.dumps([judge(folder, environ) for folder, environ in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def judged(checkout, service_python, environment, tmp_path_factory):
    """What the service says of all inputs here, asked in one process: by (key, value) or by name."""
    good, empty, latin, marked = (
        tmp_path_factory.mktemp(name) for name in ("good", "empty", "latin", "marked")
    )
    (latin / ".env").write_bytes(b"A=\xe9\n")
    text = "".join(f"{key}={value}\n" for key, value in environment.items())
    (good / ".env").write_text(text, encoding="utf-8")
    (marked / ".env").write_text(f"\N{BYTE ORDER MARK}{text}", encoding="utf-8")
    cases = {pair: (str(good), dict([pair])) for pair in _WRONG}
    cases |= {
        name: (str(folder), {}) for name, folder in (("empty", empty), ("latin", latin), ("marked", marked))
    }
    cases["good"] = (str(good), {"S3_BUCKET": "from-the-process"})
    done = subprocess.run(
        [str(service_python), "-c", _JUDGE],
        input=json.dumps(list(cases.values())),
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return dict(zip(cases, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("key", "value"), _WRONG)
def test_a_wrong_setting_is_named_and_its_value_is_not(judged, key, value):
    assert judged[key, value].startswith(f"refused: {key} ")
    assert "canary-value" not in judged[key, value]


def test_an_env_file_that_is_missing_or_not_text_is_told(judged):
    assert judged["empty"].startswith("refused: DATABASE_URL is not set")
    assert ".env cannot be read" in judged["latin"]


def test_a_byte_order_mark_hides_no_key(judged):
    assert judged["marked"].startswith("VoiceConfig(")


def test_the_process_wins_over_the_file_and_secrets_are_not_in_the_repr(judged, secrets):
    assert "s3_bucket='from-the-process'" in judged["good"]
    assert not [name for name, secret in secrets.items() if secret in judged["good"]]
