"""A compose service, by programs that answer with recorded output (docker 20.10, compose 2.40 and 1.29).

The real ones are drilled elsewhere.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from target.description import Api, Compose, ServiceControl, Target
from target.errors import HostError
from target.host import Host
from target.service import Service, service_of

ID = "5f2c1b0a9d8e"
IMAGE = "sha256:9f3c7d1e4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

State = dict[str, object]
RUNNING: State = {
    "Status": "running",
    "Running": True,
    "Paused": False,
    "Restarting": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 4242,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": "2026-11-20T09:12:01.123456789Z",
    "FinishedAt": "0001-01-01T00:00:00Z",
}

# Answers by its words, notes them, and fails on any that nobody recorded.
DOCKER = """#!/bin/sh
printf '%s\\n' "${{0##*/}} $*" >> {folder}/asked
case "$*" in
"{asked_version}") {answer};;
*"logs --no-color --no-log-prefix --tail"*) printf 'one\\ntwo\\n';;
*" ps "*) cat {folder}/ids;;
"inspect "*) cat {folder}/inspect.json;;
"exec {id} cat /proc/1/environ") cat {folder}/environ;;
*" up -d --no-deps --no-build "*|*" stop "*) cat {folder}/refusal >&2; [ ! -s {folder}/refusal ];;
*) echo "not recorded: $*" >&2; exit 97;;
esac
"""


class Recorded:
    """The recorded answers, and the words that were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("ids", "refusal", "environ", "asked"):
            (folder / name).touch()
        self.program("docker", "compose version", "echo Docker Compose version v2.40.3")

    def program(self, name: str, asked_version: str, answer: str) -> None:
        path = self.folder / name
        path.write_text(DOCKER.format(folder=self.folder, asked_version=asked_version, answer=answer, id=ID))
        path.chmod(0o755)

    def containers(self, *containers: tuple[State, str]) -> None:
        """Each a state and its compose `oneoff` label."""
        (self.folder / "ids").write_text(f"{ID}\n" * len(containers))
        described = [
            {
                "Id": ID,
                "Image": IMAGE,
                "RestartCount": 3,
                "State": state,
                "Config": {"Labels": {"com.docker.compose.oneoff": one_off}, "Env": ["A=1"]},
            }
            for state, one_off in containers
        ]
        (self.folder / "inspect.json").write_text(json.dumps(described))

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Recorded(folder)


@pytest.fixture
def voice(recorded: Recorded) -> Callable[..., Service]:
    def make(project: str | None = None) -> Service:
        compose = Compose(file="/srv/it's voice/docker-compose.yml", service="voice-v2", project=project)
        target = Target(name="t", api=Api(url="http://127.0.0.1"), service=ServiceControl(compose=compose))
        service = service_of(target, Host("local://"))
        assert service is not None
        return service

    return make


def test_running(voice: Callable[..., Service], recorded: Recorded) -> None:
    recorded.containers((RUNNING, "False"))
    (recorded.folder / "environ").write_bytes("A=привет\0B=x=y\0EMPTY=\0".encode())
    status = voice().status()
    assert (status.state, status.pid, status.restarts, status.detail) == ("running", 4242, 3, "running")
    assert status.started_at == pytest.approx(1795165921.123457, abs=1e-6)
    assert voice().image_digest() == IMAGE
    assert voice().process_environment() == {"A": "привет", "B": "x=y", "EMPTY": ""}


@pytest.mark.parametrize(
    ("change", "state", "detail"),
    [
        ({"Health": {"Status": "starting", "FailingStreak": 0}}, "starting", "running, starting"),
        ({"Health": {"Status": "healthy", "FailingStreak": 0}}, "running", "running, healthy"),
        ({"Health": {"Status": "unhealthy", "FailingStreak": 5}}, "running", "running, unhealthy"),
        ({"Status": "exited", "Pid": 0, "ExitCode": 143}, "stopped", "exited, exit code 143"),
        ({"Status": "exited", "Pid": 0, "ExitCode": 1}, "failed", "exited, exit code 1"),
        (
            {"Status": "exited", "Pid": 0, "ExitCode": 137, "OOMKilled": True},
            "failed",
            "exited, exit code 137, killed for memory",
        ),
        ({"Status": "restarting", "ExitCode": 3}, "failed", "restarting, exit code 3"),
        ({"Status": "created", "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z"}, "stopped", "created"),
        ({"Status": "paused"}, "stopped", "paused"),
    ],
)
def test_other_states(
    voice: Callable[..., Service], recorded: Recorded, change: State, state: str, detail: str
) -> None:
    recorded.containers((RUNNING | change, "False"))
    status = voice().status()
    assert (status.state, status.detail) == (state, detail)
    assert (status.started_at is not None) == ((RUNNING | change)["Status"] == "running")


def test_no_container_and_those_that_are_not_the_service(
    voice: Callable[..., Service], recorded: Recorded
) -> None:
    recorded.containers()
    assert (voice().status().state, voice().status().detail) == ("stopped", "no container")
    assert voice().image_digest() is None
    assert voice().process_environment() is None
    recorded.containers((RUNNING | {"Status": "exited", "ExitCode": 1}, "True"), (RUNNING, "False"))
    assert voice().status().state == "running"
    recorded.containers((RUNNING, "False"), (RUNNING, "False"))
    with pytest.raises(HostError, match="voice-v2 runs in 2 containers"):
        voice().status()


def test_version_two(voice: Callable[..., Service], recorded: Recorded) -> None:
    service = voice(project="prod")
    base = "docker compose -f /srv/it's voice/docker-compose.yml -p prod"
    service.start()
    service.stop()
    service.restart()
    service.status()
    assert service.logs(7) == "one\ntwo\n"
    assert recorded.asked() == [
        "docker compose version",
        f"{base} up -d --no-deps --no-build voice-v2",
        f"{base} stop voice-v2",
        f"{base} up -d --no-deps --no-build --force-recreate voice-v2",
        f"{base} ps --all -q voice-v2",
        f"{base} logs --no-color --no-log-prefix --tail 7 voice-v2",
    ]
    assert service.commands("stop").startswith(
        "docker compose -f '/srv/it'\"'\"'s voice/docker-compose.yml' -p prod"
    )


def test_version_one(voice: Callable[..., Service], recorded: Recorded) -> None:
    recorded.program(
        "docker", "compose version", "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1"
    )
    recorded.program("docker-compose", "version", "echo docker-compose version 1.29.2")
    service = voice()
    service.status()
    service.stop()
    assert recorded.asked()[-2:] == [
        "docker-compose -f /srv/it's voice/docker-compose.yml ps -q voice-v2",
        "docker-compose -f /srv/it's voice/docker-compose.yml stop voice-v2",
    ]


def test_neither_version(voice: Callable[..., Service], recorded: Recorded) -> None:
    recorded.program("docker", "compose version", "exit 1")
    recorded.program("docker-compose", "version", "exit 1")
    with pytest.raises(
        HostError, match=r"neither `docker compose` nor `docker-compose` works there; install one"
    ):
        voice().status()


def test_a_refused_change_and_an_unknown_service_are_told(
    voice: Callable[..., Service], recorded: Recorded
) -> None:
    (recorded.folder / "refusal").write_text("no such service: voice-v2\n")
    with pytest.raises(HostError, match="no such service: voice-v2"):
        voice().restart()
    (recorded.folder / "ids").unlink()
    with pytest.raises(HostError, match=r"ps --all -q voice-v2: .*; check file and service in the target"):
        voice().status()


def test_an_answer_of_another_kind_is_an_error(voice: Callable[..., Service], recorded: Recorded) -> None:
    (recorded.folder / "ids").write_text(f"{ID}\n")
    (recorded.folder / "inspect.json").write_text('[{"Id": 3}]')
    with pytest.raises(HostError, match="docker inspect answered something else than expected"):
        voice().status()
