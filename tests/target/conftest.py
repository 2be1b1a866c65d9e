"""Real servers on 127.0.0.1 for the tests of this folder, each started once and always stopped."""

import subprocess
import sys
from pathlib import Path

import pytest

from target.description import Api, Code, Environment, Target, Virtualenv
from target.host import Host

AWKWARD = [
    "a b",
    "it's",
    'say "hi"',
    "two\nlines",
    "привет",
    "-rf",
    "$(id)",
    "back\\slash",
    "*",
    "a%sb",
    "trailing\n",
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as the runbook has it, with what must be left out beside what must not."""
    folder = tmp_path / "check out"
    package = folder / "app/services/voice_v2"
    (package / "core/__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "core/config.py").write_text("x = 1\n")
    (package / "core/__pycache__/config.cpython-311.pyc").write_text("cache")
    (package / "core/stale.pyc").write_text("cache")
    (package / "run me.sh").write_text("#!/bin/sh\n")
    (package / "run me.sh").chmod(0o755)
    (package / "голос.txt").write_text("да")
    (package / "latest").symlink_to("core")
    (folder / "requirements.txt").write_text("openai==1.2.3\n")
    return folder


@pytest.fixture
def deployment(checkout: Path, tmp_path: Path) -> Target:
    """A target with that checkout, an environment file, and this virtualenv; nothing answers at its URL."""
    (tmp_path / ".env").write_text("S3_BUCKET=voice-files\nOPENAI_API_KEY=sk-canary\n")
    return Target(
        name="test",
        api=Api(url="http://127.0.0.1:9"),
        code=Code(checkout=str(checkout)),
        environment=Environment(
            file=str(tmp_path / ".env"), previous=str(tmp_path / ".env.previous"), reader="systemd"
        ),
        virtualenv=Virtualenv(path=sys.prefix),
    )


@pytest.fixture
def head(checkout: Path) -> str:
    """The checkout is a git repository: its HEAD."""
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    commands = (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "release"], ["rev-parse", "HEAD"])
    for words in commands:
        done = subprocess.run(
            ["git", *who, *words], cwd=checkout, check=True, capture_output=True, text=True, timeout=30
        )
    return done.stdout.strip()


@pytest.fixture
def host() -> Host:
    """This machine."""
    return Host("local://")


@pytest.fixture(params=AWKWARD)
def awkward(request: pytest.FixtureRequest) -> str:
    """A word that a careless shell would take apart."""
    return str(request.param)
